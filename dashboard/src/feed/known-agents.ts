/** Agents by id, each by its highest version. No I/O and no clock. */

import type { Agent } from "../contracts";

export class KnownAgents {
  readonly agents = new Map<string, Agent>();
  /** True if an agent belongs to the subscribed topics. No frame contains the others. */
  follows: (agent: Agent) => boolean = () => true;
  private doubt = false;

  /** True if an agent may have left these queues. Another list decides. */
  get hasDoubt(): boolean {
    return this.doubt;
  }

  /** `mayBeLate`: the agents may be older than the last list, so a new one may have left these queues. */
  put(agents: readonly Agent[], mayBeLate = false): void {
    for (const agent of agents) {
      if (!this.follows(agent)) {
        this.agents.delete(agent.id);
        continue;
      }
      const held = this.agents.get(agent.id);
      if (held === undefined && mayBeLate) this.doubt = true;
      // Equal versions may differ in `callId`, because the reader may or may not see the call. The later one is right.
      if ((held?.version ?? -1) <= agent.version) this.agents.set(agent.id, agent);
    }
  }

  /** Call this when you request a list. Pass the result to `takeAll` with the list. */
  versions(): ReadonlyMap<string, number> {
    return new Map([...this.agents.values()].map(({ id, version }) => [id, version]));
  }

  /** Applies a list of all agents. Agents that it lacks have left these queues. */
  takeAll(versionsAtRequest: ReadonlyMap<string, number>, listed: readonly Agent[]): void {
    this.doubt = false;
    this.put(listed);
    const named = new Set(listed.map(({ id }) => id));
    for (const { id, version } of [...this.agents.values()]) {
      if (named.has(id)) continue;
      if (versionsAtRequest.get(id) === version) this.agents.delete(id);
      else this.doubt = true; // A frame changed the agent during the read. It may be older or newer than the list.
    }
  }
}
