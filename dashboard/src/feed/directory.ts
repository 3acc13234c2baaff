/** The queues and agents by id: what to subscribe to, and what to call them. */

import type { Agent, Queue } from "../contracts";
import type { Api } from "./api";

export class Directory {
  readonly queues = new Map<string, Queue>();
  readonly agents = new Map<string, Agent>();
  /** Rises whenever a name, limit or state may have changed. */
  revision = 0;
  private isBusy = false;

  constructor(private readonly api: Api) {}

  get topics(): string[] {
    return [...this.queues.keys()].map(topicOf);
  }

  /** Reads both lists and answers the topics that are new, or null where a read is under way already. */
  async refresh(): Promise<string[] | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    const askedWith = new Map([...this.agents.values()].map(({ id, version }) => [id, version]));
    try {
      const [queues, agents] = await Promise.all([this.api.queues(), this.api.agents()]);
      const added = queues.filter(({ id }) => !this.queues.has(id)).map(({ id }) => topicOf(id));
      for (const queue of queues) this.queues.set(queue.id, queue);
      this.putAgents(agents);
      this.dropAgents(askedWith, agents);
      return added;
    } finally {
      this.isBusy = false;
    }
  }

  putAgents(agents: readonly Agent[]): void {
    for (const agent of agents) {
      // Of two views of an agent the higher version is the truth, in whatever order they come.
      if ((this.agents.get(agent.id)?.version ?? -1) <= agent.version) this.agents.set(agent.id, agent);
    }
    this.revision++;
  }

  /** Who stood here as was asked, and is not in the answer, works for none of our queues any more. */
  private dropAgents(askedWith: ReadonlyMap<string, number>, told: readonly Agent[]): void {
    const named = new Set(told.map(({ id }) => id));
    for (const [id, version] of askedWith) {
      if (!named.has(id) && this.agents.get(id)?.version === version) this.agents.delete(id);
    }
  }
}

function topicOf(queueId: string): string {
  return `queue:${queueId}`;
}
