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
    try {
      const [queues, agents] = await Promise.all([this.api.queues(), this.api.agents()]);
      const added = queues.filter(({ id }) => !this.queues.has(id)).map(({ id }) => topicOf(id));
      for (const queue of queues) this.queues.set(queue.id, queue);
      this.putAgents(agents);
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
}

function topicOf(queueId: string): string {
  return `queue:${queueId}`;
}
