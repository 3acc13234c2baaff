/** The live calls as rows of a grid, of which only those in sight are in the document. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Call } from "../../contracts";
import type { Entry } from "../../model/groups";
import { texts } from "../../texts";
import type { Store } from "../store";
import { CallRow } from "./CallRow";
import { GroupRow } from "./GroupRow";
import { ListNotice } from "./ListNotice";
import { useVirtualRows } from "./virtual-rows";

/** As in styles/floor.css: on a desk, on a phone, on a wall. */
const HEIGHTS = { row: 38, group: 32 };
const NARROW_HEIGHTS = { row: 64, group: 32 };
const WALL_HEIGHTS = { row: 44, group: 38 };
const NARROW = "(max-width: 760px)";
const WALL = "(min-width: 1800px)";
const COLUMNS = ["due", "state", "call", "queue", "language", "agent", "waited", "total", "flags"] as const;

export function CallList({ store }: { store: Store }) {
  const entries = store.entries.value;
  const calls = useMemo(() => entries.flatMap(({ call }) => call ?? []), [entries]);
  const scroller = useRef<HTMLDivElement>(null);
  const { row: rowHeight, group: groupHeight } = useHeights();
  // The same function as long as the entries are: for another one all places are reckoned anew, at each step of a scroll.
  const getItemKey = useCallback((index: number) => keyOf(entries[index]) ?? index, [entries]);
  const rows = useVirtualRows({
    count: entries.length,
    estimateSize: (index) => (entries[index]?.group === undefined ? rowHeight : groupHeight),
    getScrollElement: () => scroller.current,
    getItemKey,
    overscan: 8,
  });
  useEffect(() => rows.measure(), [rows, rowHeight, store.filters.value.group]);
  const cursor = useCursor(store, calls);
  const press = (event: KeyboardEvent) => {
    const target = cursorTarget(
      event,
      cursor,
      calls.length,
      Math.floor((rows.scrollRect?.height ?? 0) / rowHeight),
    );
    const call = calls[target ?? -1];
    if (target !== null && call !== undefined) {
      event.preventDefault();
      store.cursorId.value = call.id;
      if (store.openId.value !== null) store.open(call.id);
      rows.scrollToIndex(
        entries.findIndex((entry) => entry.call === call),
        { align: "auto" },
      );
    } else if (event.key === "Enter" && calls[cursor] !== undefined) {
      store.open(calls[cursor].id);
    }
  };
  return (
    <div class="list">
      <div
        class="grid"
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
        <div class="row head" role="row" aria-rowindex={1}>
          {COLUMNS.map((column) => (
            <div key={column} role="columnheader" class={`cell ${column}`}>
              {texts.columns[column]}
            </div>
          ))}
        </div>
        <div class="rows" role="rowgroup" style={{ height: `${rows.getTotalSize()}px` }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const { call, group } = entries[index] ?? {};
            if (group !== undefined) return <GroupRow key={group.key} {...{ store, group, index, start }} />;
            return call === undefined ? null : (
              <CallRow
                key={call.id}
                {...{ store, call, index, start, id: rowId(call), isCursor: call === calls[cursor] }}
              />
            );
          })}
        </div>
      </div>
      {calls.length === 0 ? <ListNotice store={store} /> : null}
    </div>
  );
}

function keyOf(entry: Entry | undefined): string | undefined {
  return entry?.call?.id ?? entry?.group?.key;
}

function rowId(call: Call): string {
  return `call-${call.id}`;
}

/** Where the cursor stands; when its call leaves the list, the one that took its place has it. */
function useCursor(store: Store, calls: readonly Call[]): number {
  const lastIndex = useRef(0);
  const id = store.cursorId.value;
  const found = id === null ? -1 : calls.findIndex((call) => call.id === id);
  const index = found >= 0 ? found : Math.min(lastIndex.current, calls.length - 1);
  useEffect(() => {
    lastIndex.current = Math.max(0, index);
    const heir = calls[index];
    if (id !== null && found < 0 && heir !== undefined) store.cursorId.value = heir.id;
  });
  return id === null ? 0 : index;
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
