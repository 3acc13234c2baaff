import type { Queue } from "../../contracts";
import { clockDuration } from "../../model/durations";
import { languageName } from "../../model/filters";
import type { Group } from "../../model/groups";
import { texts } from "../../texts";
import * as rowStyles from "./rows.module.css";

interface GroupRowProps {
  queues: ReadonlyMap<string, Queue>;
  group: Group;
  index: number;
  start: number;
}

export function GroupRow({ queues, group, index, start }: GroupRowProps) {
  const { total, waiting, overTarget, longestWaitMs } = group;
  return (
    <div
      class={`${rowStyles.row} ${rowStyles.group}`}
      role="row"
      aria-rowindex={index + 2}
      style={{ top: `${start}px` }}
    >
      <div class={rowStyles.cell} role="gridcell" aria-colspan={9}>
        <strong>{nameOf(group, queues)}</strong>
        <span>{texts.filters.shown(total, total)}</span>
        {waiting > 0 ? <span>{texts.languageCards.waiting(waiting)}</span> : null}
        {longestWaitMs === null ? null : <span>{texts.group.longest(clockDuration(longestWaitMs))}</span>}
        {overTarget > 0 ? <span data-late="true">{texts.group.overTarget(overTarget)}</span> : null}
      </div>
    </div>
  );
}

function nameOf({ grouping, key }: Group, queues: ReadonlyMap<string, Queue>): string {
  if (grouping === "queue") return queues.get(key)?.name ?? key;
  if (grouping === "state") return (texts.states as Record<string, string>)[key] ?? key;
  return languageName(key) || texts.languageCards.unknown;
}
