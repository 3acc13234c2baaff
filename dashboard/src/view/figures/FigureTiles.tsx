import { formatAddress } from "../../address";
import type { AgentTime, Metrics, MetricsRow } from "../../contracts";
import { clockDuration } from "../../model/durations";
import type { FormulaName } from "../../preferences";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";
import type { Store } from "../store";
import { callsAddress, duration, mean, percent, work } from "./figures";

interface FigureTilesProps {
  store: Store;
  metrics: Metrics;
  day: Day;
  formula: FormulaName;
  queueId: string | null;
}

export function FigureTiles({ store, metrics, day, formula, queueId }: FigureTilesProps) {
  const row = metrics.data[0];
  return (
    <>
      {day.isToday ? <NowTiles store={store} metrics={metrics} queueId={queueId} /> : null}
      {row === undefined ? null : <DayTiles row={row} formula={formula} isWhole={queueId === null} />}
    </>
  );
}

/** From the live floor, not from the last read: the same numbers as on the Floor, to the second. */
function NowTiles({ store, queueId }: { store: Store; metrics: Metrics; queueId: string | null }) {
  const { names } = texts.figures;
  const { waiting, active, longestWaitMs } = store.figures.value;
  const members = [...store.feed.directory.agents.values()].filter(
    (agent) => agent.status === "available" && (queueId === null || agent.queues.includes(queueId)),
  );
  const wait = longestWaitMs === null ? texts.nothing : clockDuration(longestWaitMs);
  const waitingAt = formatAddress("floor", { queue: queueId, state: "waiting,ringing" });
  return (
    <section class="figure-tiles" aria-label={texts.figures.now}>
      <Tile id="waiting" name={names.waiting} value={waiting} href={waitingAt} />
      <Tile id="longestNow" name={names.longestNow} value={wait} href={`${waitingAt}&sort=wait`} />
      <Tile
        id="active"
        name={names.active}
        value={active}
        href={formatAddress("floor", { queue: queueId, state: "active" })}
      />
      <Tile
        id="free"
        name={names.free}
        value={members.length}
        href={formatAddress("agents", { queue: queueId, status: "available" })}
      />
    </section>
  );
}

interface DayTilesProps {
  row: MetricsRow;
  formula: FormulaName;
  /** Of all queues. */
  isWhole: boolean;
}

function DayTiles({ row, formula, isWhole }: DayTilesProps) {
  const { names } = texts.figures;
  const { handleTime } = row;
  const parts = texts.figures.parts(mean(handleTime.talk), mean(handleTime.hold), mean(handleTime.acw));
  const noTime = texts.figures.noTime(isWhole);
  const time = row.agentTime;
  const to = (link: string) => callsAddress(row.links[link]);
  return (
    <section class="figure-tiles" aria-label={texts.figures.overDay}>
      <Tile
        id="serviceLevel"
        name={names.serviceLevel}
        value={percent(row.serviceLevel[formula])}
        unit="%"
        note={texts.figures.formulasShort[formula]}
        href={to("answeredInTime")}
      />
      <Tile id="offered" name={names.offered} value={row.offered} href={to("offered")} />
      <Tile id="answered" name={names.answered} value={row.answered} href={to("answered")} />
      <Tile
        id="abandonRate"
        name={names.abandonRate}
        value={percent(row.abandonRate)}
        unit="%"
        note={texts.figures.ofCalls(row.abandoned, row.answered + row.abandoned)}
        href={to("abandoned")}
      />
      <Tile id="asa" name={names.asa} value={mean(row.asa)} href={to("asa")} />
      <Tile id="aht" name={names.aht} value={mean(handleTime.aht)} note={parts} href={to("handled")} />
      <Tile
        id="acw"
        name={names.acw}
        value={mean(handleTime.acw)}
        note={time === null ? noTime : texts.figures.perCall}
        href={to("handled")}
      />
      <Tile
        id="longestWait"
        name={names.longestWait}
        value={duration(row.longestWait)}
        href={to("longestWait")}
      />
      <Tile
        id="occupancy"
        name={names.occupancy}
        value={percent(row.occupancy)}
        unit="%"
        note={time === null ? noTime : texts.figures.ofShift(work(occupied(time)), work(time.staffed))}
        href={formatAddress("agents")}
      />
    </section>
  );
}

function occupied({ ringing, onCall, wrapUp }: AgentTime): number {
  return ringing + onCall + wrapUp;
}

interface TileProps {
  id: string;
  name: string;
  value: string | number | null;
  unit?: string;
  note?: string | undefined;
  href: string;
}

function Tile({ id, name, value, unit, note, href }: TileProps) {
  return (
    <a class="figure-tile" href={href} data-testid={`figure-${id}`} data-value={value ?? ""}>
      <span class="tile-label">{name}</span>
      <span class="tile-value">
        {typeof value === "number" ? texts.count(value) : (value ?? texts.nothing)}
        {value !== null && unit !== undefined ? <span class="unit"> {unit}</span> : null}
      </span>
      {note === undefined ? null : <span class="tile-note">{note}</span>}
    </a>
  );
}
