/** The queues and agents by id: what to subscribe to, and what to call them. */

import type { Agent, Queue } from "../contracts";
import type { Api } from "./api";
import type { KnownAgents } from "./known-agents";

export class Directory {
  readonly queues = new Map<string, Queue>();
  /** Rises whenever a name, limit or state may have changed. */
  revision = 0;
  private isBusy = false;

  constructor(
    private readonly api: Api,
    private readonly knownAgents: KnownAgents,
  ) {}

  get agents(): ReadonlyMap<string, Agent> {
    return this.knownAgents.agents;
  }

  get topics(): string[] {
    return [...this.queues.keys()].map(topicOf);
  }

  /** Reads both lists and answers the topics that are new, or null where a read is under way already. */
  async refresh(): Promise<string[] | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    const asked = this.knownAgents.ask();
    try {
      const [queues, agents] = await Promise.all([this.api.queues(), this.api.agents()]);
      const added = queues.filter(({ id }) => !this.queues.has(id)).map(({ id }) => topicOf(id));
      for (const queue of queues) this.queues.set(queue.id, queue);
      this.knownAgents.takeAll(asked, agents);
      this.revision++;
      return added;
    } finally {
      this.isBusy = false;
    }
  }

  /** The knownAgents has changed by a frame or a poll. */
  agentsChanged(): void {
    this.revision++;
  }
}

function topicOf(queueId: string): string {
  return `queue:${queueId}`;
}
