/** The queues and agents by id. */

import type { Agent, Queue } from "../contracts";
import type { Api } from "./api";
import type { KnownAgents } from "./known-agents";

export class Directory {
  readonly queues = new Map<string, Queue>();
  /** Rises when a name, limit or state may have changed. */
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

  /** Reads both lists. Returns the new topics, or null if a read is in progress. */
  async refresh(): Promise<string[] | null> {
    if (this.isBusy) return null;
    this.isBusy = true;
    const versions = this.knownAgents.versions();
    try {
      const [queues, agents] = await Promise.all([this.api.queues(), this.api.agents()]);
      const added = queues.filter(({ id }) => !this.queues.has(id)).map(({ id }) => topicOf(id));
      for (const queue of queues) this.queues.set(queue.id, queue);
      this.knownAgents.takeAll(versions, agents);
      this.revision++;
      return added;
    } finally {
      this.isBusy = false;
    }
  }

  /** Called when a frame or a poll changed agents. */
  agentsChanged(): void {
    this.revision++;
  }
}

function topicOf(queueId: string): string {
  return `queue:${queueId}`;
}
