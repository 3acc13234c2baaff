/** The floor in five figures; each opens the calls that it counts. */

import { clockDuration } from "../../model/durations";
import { type Filters, isJustThis, justThis } from "../../model/filters";
import type { Figures } from "../../model/summary";
import { texts } from "../../texts";
import type { Store } from "../store";

interface Tile {
  id: string;
  label: string;
  /** For a phone. */
  shortLabel?: string;
  value: (figures: Figures) => string;
  note: (figures: Figures) => string;
  isAlarming?: (figures: Figures) => boolean;
  filter: Partial<Filters>;
}

const TILES: Tile[] = [
  {
    id: "waiting",
    label: texts.tiles.waiting,
    value: ({ waiting }) => `${waiting}`,
    note: ({ ringing }) => texts.tiles.ringing(ringing),
    filter: { states: ["waiting", "ringing"] },
  },
  {
    id: "active",
    label: texts.tiles.active,
    value: ({ active }) => `${active}`,
    note: ({ active, total }) => texts.tiles.share(total === 0 ? 0 : Math.round((100 * active) / total)),
    filter: { states: ["active"] },
  },
  {
    id: "on_hold",
    label: texts.tiles.onHold,
    value: ({ onHold }) => `${onHold}`,
    note: ({ overHold }) => texts.tiles.overHold(overHold),
    filter: { states: ["on_hold"] },
  },
  {
    id: "longest_wait",
    label: texts.tiles.longestWait,
    shortLabel: texts.tiles.shortLongestWait,
    value: ({ longestWaitMs }) => (longestWaitMs === null ? texts.nothing : clockDuration(longestWaitMs)),
    note: ({ longestWaitQueue: queue }) =>
      queue === null ? texts.tiles.noneWaiting : texts.tiles.inQueue(queue),
    filter: { states: ["waiting", "ringing"], sort: "wait" },
  },
  {
    id: "breached",
    label: texts.tiles.breached,
    shortLabel: texts.tiles.shortBreached,
    value: ({ breached }) => `${breached}`,
    note: ({ total }) => texts.tiles.breachedOf(total),
    isAlarming: ({ breached }) => breached > 0,
    filter: { breached: true },
  },
];

export function Tiles({ store }: { store: Store }) {
  return (
    <section class="tiles" aria-label={texts.tiles.label}>
      {TILES.map((tile) => (
        <TileButton key={tile.id} tile={tile} store={store} />
      ))}
    </section>
  );
}

function TileButton({ tile, store }: { tile: Tile; store: Store }) {
  const figures = store.figures.value;
  const filters = store.filters.value;
  const isKnown = store.picture.value.confirmedAt !== null || figures.total > 0;
  const isPressed = isJustThis(filters, tile.filter);
  const toggle = () => {
    store.setFilters(justThis(filters, isPressed ? {} : tile.filter));
    if (!isPressed) store.cursorId.value = store.calls.value[0]?.id ?? null;
  };
  return (
    <button
      type="button"
      class="tile"
      aria-pressed={isPressed}
      data-testid={`tile-${tile.id}`}
      data-alarming={isKnown && tile.isAlarming?.(figures) === true}
      onClick={toggle}
    >
      <span class="tile-label wide">{tile.label}</span>
      <span class="tile-label narrow">{tile.shortLabel ?? tile.label}</span>
      <span class="tile-value">{isKnown ? tile.value(figures) : texts.nothing}</span>
      <span class="tile-note">{isKnown ? tile.note(figures) : ""}</span>
    </button>
  );
}
