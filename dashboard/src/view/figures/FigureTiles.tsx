import { formatAddress } from "../../address";
import type { Agent, AgentTime, MetricsRow } from "../../contracts";
import { clockDuration } from "../../model/durations";
import type { Summary } from "../../model/summary";
import type { FormulaName } from "../../preferences";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";
import * as tileStyles from "../shell/tiles.module.css";
import * as styles from "./FigureTiles.module.css";
import { callsAddress, duration, mean, percent, work } from "./figures";

interface NowTilesProps {
  /** The live calls, as on the floor. */
  summary: Summary;
  agents: ReadonlyMap<string, Agent>;
  queueId: string | null;
}

interface FigureTilesProps extends NowTilesProps {
  row: MetricsRow | undefined;
  day: Day;
  formula: FormulaName;
}

export function FigureTiles({ row, day, formula, ...live }: FigureTilesProps) {
  const { queueId } = live;
  return (
    <>
      {day.isToday ? <NowTiles {...live} /> : null}
      {row === undefined ? null : <DayTiles row={row} formula={formula} isAllQueues={queueId === null} />}
    </>
  );
}

function NowTiles({ summary, agents, queueId }: NowTilesProps) {
  const { names } = texts.figures;
  const { waiting, active, longestWaitMs } = summary;
  const free = [...agents.values()].filter(
    (agent) => agent.status === "available" && (queueId === null || agent.queues.includes(queueId)),
  );
  const wait = longestWaitMs === null ? texts.nothing : clockDuration(longestWaitMs);
  const waitingAt = formatAddress("floor", { queue: queueId, state: "waiting,ringing" });
  return (
    <section class={styles.figureTiles} aria-label={texts.figures.now}>
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
        value={free.length}
        href={formatAddress("agents", { queue: queueId, status: "available" })}
      />
    </section>
  );
}

interface DayTilesProps {
  row: MetricsRow;
  formula: FormulaName;
  isAllQueues: boolean;
}

function DayTiles({ row, formula, isAllQueues }: DayTilesProps) {
  const { names } = texts.figures;
  const { handleTime } = row;
  const parts = texts.figures.parts(mean(handleTime.talk), mean(handleTime.hold), mean(handleTime.acw));
  const noTime = texts.figures.noTime(isAllQueues);
  const time = row.agentTime;
  const to = (link: string) => callsAddress(row.links[link]);
  return (
    <section class={styles.figureTiles} aria-label={texts.figures.overDay}>
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
    <a class={styles.figureTile} href={href} data-testid={`figure-${id}`} data-value={value ?? ""}>
      <span class={tileStyles.tileLabel} data-testid="tile-label">
        {name}
      </span>
      <span class={tileStyles.tileValue}>
        {typeof value === "number" ? texts.count(value) : (value ?? texts.nothing)}
        {value !== null && unit !== undefined ? <span class={styles.unit}> {unit}</span> : null}
      </span>
      {note === undefined ? null : <span class={tileStyles.tileNote}>{note}</span>}
    </a>
  );
}
