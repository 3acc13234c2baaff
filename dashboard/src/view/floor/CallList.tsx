/** The live calls as rows of a grid. Only the rows in sight are in the document. */

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Agent, Call, Queue } from "../../contracts";
import type { Grouping } from "../../model/filters";
import type { FindFree } from "../../model/free-agents";
import type { Entry } from "../../model/groups";
import { texts } from "../../texts";
import * as styles from "./CallList.module.css";
import { CallRow } from "./CallRow";
import { GroupRow } from "./GroupRow";
import * as rowStyles from "./rows.module.css";
import { useVirtualRows } from "./virtual-rows";

/** Row heights in px, as in rows.module.css: on a desk, on a phone, on a wall. */
const HEIGHTS = { row: 38, group: 32 };
const NARROW_HEIGHTS = { row: 64, group: 32 };
const WALL_HEIGHTS = { row: 44, group: 38 };
const NARROW = "(max-width: 760px)";
const WALL = "(min-width: 1800px)";
const COLUMNS = ["due", "state", "call", "queue", "language", "agent", "waited", "total", "flags"] as const;

interface CallListProps {
  entries: readonly Entry[];
  group: Grouping | null;
  now: number;
  queues: ReadonlyMap<string, Queue>;
  agents: ReadonlyMap<string, Agent>;
  findFree: FindFree;
  /** The ids of the agents who missed a call. */
  missedBy: (call: Call) => readonly string[];
  openId: string | null;
  cursorId: string | null;
  onCursor: (callId: string) => void;
  onOpen: (callId: string) => void;
  /** Shown when there is no call. */
  notice: ComponentChildren;
}

export function CallList(props: CallListProps) {
  const { entries, group: grouping, now, queues, agents, openId, cursorId, onCursor, onOpen } = props;
  const calls = useMemo(() => entries.flatMap(({ call }) => call ?? []), [entries]);
  const scroller = useRef<HTMLDivElement>(null);
  const { row: rowHeight, group: groupHeight } = useHeights();
  // A new function would make the list compute all positions again at each step of a scroll.
  const getItemKey = useCallback((index: number) => keyOf(entries[index]) ?? index, [entries]);
  const rows = useVirtualRows({
    count: entries.length,
    estimateSize: (index) => (entries[index]?.group === undefined ? rowHeight : groupHeight),
    getScrollElement: () => scroller.current,
    getItemKey,
    overscan: 8,
  });
  useEffect(() => rows.measure(), [rows, rowHeight, grouping]);
  const cursor = useCursor(calls, cursorId, onCursor);
  const press = (event: KeyboardEvent) => {
    const rowsInSight = Math.floor((rows.scrollRect?.height ?? 0) / rowHeight);
    const target = cursorTarget(event, cursor, calls.length, rowsInSight);
    const call = calls[target ?? -1];
    if (target !== null && call !== undefined) {
      event.preventDefault();
      onCursor(call.id);
      if (openId !== null) onOpen(call.id);
      const index = entries.findIndex((entry) => entry.call === call);
      rows.scrollToIndex(index, { align: "auto" });
    } else if (event.key === "Enter" && calls[cursor] !== undefined) {
      onOpen(calls[cursor].id);
    }
  };
  return (
    <div class={styles.list}>
      <div
        class={styles.grid}
        id="calls"
        ref={scroller}
        role="grid"
        aria-label={texts.list}
        aria-rowcount={entries.length + 1}
        aria-activedescendant={calls[cursor] === undefined ? undefined : rowId(calls[cursor])}
        tabIndex={0}
        onKeyDown={press}
        data-testid="call-list"
      >
        <div class={`${rowStyles.row} ${rowStyles.head}`} role="row" aria-rowindex={1}>
          {COLUMNS.map((column) => (
            <div key={column} role="columnheader" class={rowStyles.cell} data-col={column}>
              {texts.columns[column]}
            </div>
          ))}
        </div>
        <div class={rowStyles.rows} role="rowgroup" style={{ height: `${rows.getTotalSize()}px` }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const { call, group } = entries[index] ?? {};
            if (group !== undefined) return <GroupRow key={group.key} {...{ queues, group, index, start }} />;
            return call === undefined ? null : (
              <CallRow
                key={call.id}
                {...{ call, now, agents, index, start, onOpen }}
                id={rowId(call)}
                queue={queues.get(call.queueId)}
                findFree={props.findFree}
                missedBy={props.missedBy(call)}
                isCursor={call === calls[cursor]}
                isOpen={call.id === openId}
              />
            );
          })}
        </div>
      </div>
      {calls.length === 0 ? props.notice : null}
    </div>
  );
}

function keyOf(entry: Entry | undefined): string | undefined {
  return entry?.call?.id ?? entry?.group?.key;
}

function rowId(call: Call): string {
  return `call-${call.id}`;
}

/** The index of the cursor. When its call leaves the list, the cursor moves to the call that takes its place. */
function useCursor(
  calls: readonly Call[],
  cursorId: string | null,
  onCursor: (callId: string) => void,
): number {
  const lastIndex = useRef(0);
  const known = cursorId === null ? -1 : calls.findIndex((call) => call.id === cursorId);
  const index = known >= 0 ? known : Math.min(lastIndex.current, calls.length - 1);
  useEffect(() => {
    lastIndex.current = Math.max(0, index);
    const next = calls[index];
    if (cursorId !== null && known < 0 && next !== undefined) onCursor(next.id);
  });
  return cursorId === null ? 0 : index;
}

function cursorTarget(event: KeyboardEvent, cursor: number, count: number, page: number): number | null {
  const last = count - 1;
  const targets: Record<string, number> = {
    ArrowDown: cursor + 1,
    ArrowUp: cursor - 1,
    PageDown: cursor + Math.max(1, page - 2),
    PageUp: cursor - Math.max(1, page - 2),
    Home: 0,
    End: last,
  };
  const target = targets[event.key];
  return target === undefined || count === 0 ? null : Math.min(last, Math.max(0, target));
}

function useHeights(): typeof HEIGHTS {
  const isNarrow = useMatch(NARROW);
  const isWall = useMatch(WALL);
  return isNarrow ? NARROW_HEIGHTS : isWall ? WALL_HEIGHTS : HEIGHTS;
}

function useMatch(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => setMatches(media.matches);
    update();
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [query]);
  return matches;
}
