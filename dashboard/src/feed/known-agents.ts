/** Agents by id, each by its highest version. No I/O and no clock. */

import type { Agent } from "../contracts";

export class KnownAgents {
  readonly agents = new Map<string, Agent>();
  /** Whether an agent belongs to our topics. No frame tells of the others. */
  follows: (agent: Agent) => boolean = () => true;
  private doubt = false;

  /** True where an agent may have left our queues: another list decides. */
  get hasDoubt(): boolean {
    return this.doubt;
  }

  /** `mayBeLate`: these views may be older than the last list, so an agent whom it lacked may have left our queues. */
  put(agents: readonly Agent[], mayBeLate = false): void {
    for (const agent of agents) {
      if (!this.follows(agent)) {
        this.agents.delete(agent.id);
        continue;
      }
      const held = this.agents.get(agent.id);
      if (held === undefined && mayBeLate) this.doubt = true;
      // Equal versions may differ in `callId`, because the call came in sight or went out of it: the later one holds.
      if ((held?.version ?? -1) <= agent.version) this.agents.set(agent.id, agent);
    }
  }

  /** To be called when a list is asked for. Hand the result to `takeAll` with the answer. */
  ask(): ReadonlyMap<string, number> {
    return new Map([...this.agents.values()].map(({ id, version }) => [id, version]));
  }

  /** Takes in all agents as REST listed them: an agent whom the list lacks has left our queues. */
  takeAll(asked: ReadonlyMap<string, number>, listed: readonly Agent[]): void {
    this.doubt = false;
    this.put(listed);
    const named = new Set(listed.map(({ id }) => id));
    for (const { id, version } of [...this.agents.values()]) {
      if (named.has(id)) continue;
      if (asked.get(id) === version) this.agents.delete(id);
      else this.doubt = true; // A frame told of the agent meanwhile, from before the list or from after it.
    }
  }
}
