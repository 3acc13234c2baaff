import { clockDuration } from "../../model/durations";
import { languageName } from "../../model/filters";
import type { Group } from "../../model/groups";
import { texts } from "../../texts";
import type { Store } from "../store";

interface GroupRowProps {
  store: Store;
  group: Group;
  index: number;
  start: number;
}

export function GroupRow({ store, group, index, start }: GroupRowProps) {
  const { total, waiting, breached, longestWaitMs } = group;
  return (
    <div
      class="row group"
      role="row"
      aria-rowindex={index + 2}
      data-testid="group-row"
      data-group={group.key}
      style={{ top: `${start}px` }}
    >
      <div class="cell" role="gridcell" aria-colspan={9}>
        <strong>{nameOf(group, store)}</strong>
        <span>{texts.group.total(total)}</span>
        {waiting > 0 ? <span>{texts.group.waiting(waiting)}</span> : null}
        {longestWaitMs === null ? null : <span>{texts.group.longest(clockDuration(longestWaitMs))}</span>}
        {breached > 0 ? <span class="late">{texts.group.breached(breached)}</span> : null}
      </div>
    </div>
  );
}

function nameOf({ grouping, key }: Group, store: Store): string {
  if (grouping === "queue") return store.feed.directory.queues.get(key)?.name ?? key;
  if (grouping === "state") return (texts.states as Record<string, string>)[key] ?? key;
  return languageName(key) || texts.board.unknown;
}
