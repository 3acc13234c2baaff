/** The summary of the live calls in five tiles. Each tile opens the calls that it counts. */

import { clockDuration } from "../../model/durations";
import { type Filters, isExactly, onlyThese } from "../../model/filters";
import type { Summary } from "../../model/summary";
import { texts } from "../../texts";
import * as tileStyles from "../shell/tiles.module.css";

interface Tile {
  id: string;
  label: string;
  /** For a phone. */
  shortLabel?: string;
  value: (summary: Summary) => string;
  note: (summary: Summary) => string;
  isAlarming?: (summary: Summary) => boolean;
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
    id: "over_target",
    label: texts.tiles.overTarget,
    shortLabel: texts.tiles.shortOverTarget,
    value: ({ overTarget }) => `${overTarget}`,
    note: ({ total }) => texts.tiles.ofCalls(total),
    isAlarming: ({ overTarget }) => overTarget > 0,
    filter: { breached: true },
  },
];

interface TilesProps {
  /** Null before the first read. */
  summary: Summary | null;
  filters: Filters;
  onChoose: (filters: Filters, isPressed: boolean) => void;
}

export function Tiles({ summary, filters, onChoose }: TilesProps) {
  return (
    <section class={tileStyles.tiles} aria-label={texts.tiles.label}>
      {TILES.map((tile) => {
        const isPressed = isExactly(filters, tile.filter);
        return (
          <TileButton
            key={tile.id}
            {...{ tile, summary, isPressed }}
            onClick={() => onChoose(onlyThese(filters, isPressed ? {} : tile.filter), isPressed)}
          />
        );
      })}
    </section>
  );
}

interface TileButtonProps {
  tile: Tile;
  summary: Summary | null;
  isPressed: boolean;
  onClick: () => void;
}

function TileButton({ tile, summary, isPressed, onClick }: TileButtonProps) {
  return (
    <button
      type="button"
      class={tileStyles.tile}
      aria-pressed={isPressed}
      data-testid={`tile-${tile.id}`}
      data-alarming={summary !== null && tile.isAlarming?.(summary) === true}
      onClick={onClick}
    >
      <span class={`${tileStyles.tileLabel} ${tileStyles.wide}`} data-testid="tile-label">
        {tile.label}
      </span>
      <span class={`${tileStyles.tileLabel} ${tileStyles.narrow}`} data-testid="tile-label">
        {tile.shortLabel ?? tile.label}
      </span>
      <span class={tileStyles.tileValue}>{summary === null ? texts.nothing : tile.value(summary)}</span>
      <span class={tileStyles.tileNote}>{summary === null ? "" : tile.note(summary)}</span>
    </button>
  );
}
