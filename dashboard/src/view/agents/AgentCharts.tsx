/** Bars by agent over a day: short calls, missed offers, occupancy. Each bar opens its calls. */

import type { Agent, Metrics, MetricsRow } from "../../contracts";
import { dayName } from "../../model/durations";
import { nameOf } from "../../model/filters";
import { texts } from "../../texts";
import { callsAddress, figuresPath } from "../figures/figures";
import { type Day, DayChoice } from "../shell/DayChoice";
import { LastUpdated, Loaded, type OpenResource, useResource } from "../shell/Loaded";
import * as layoutStyles from "../shell/layout.module.css";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./AgentCharts.module.css";

const EVERY_MS = 30_000;
const MAX_BARS = 15;

interface AgentChartsProps {
  day: Day;
  queue: string | null;
  agents: ReadonlyMap<string, Agent>;
  localNow: number;
  openResource: OpenResource;
  onDay: (day: string | null) => void;
}

export function AgentCharts({ day, queue, agents, localNow, openResource, onDay }: AgentChartsProps) {
  const path = figuresPath(day, { groupBy: "agent", queueId: queue });
  const resource = useResource<Metrics>(openResource, path, day.isToday ? EVERY_MS : null);
  return (
    <section class={layoutStyles.block}>
      <header class={layoutStyles.blockHead}>
        <h2>{texts.agents.charts}</h2>
        <DayChoice day={day} onChoose={onDay} />
      </header>
      <LastUpdated updatedAt={resource.updatedAt.value} state={resource.state.value} localNow={localNow} />
      <Loaded resource={resource} localNow={localNow}>
        {({ data }) => (
          <>
            <Bars
              {...{ agents, day, rows: data }}
              title={texts.agents.shortCalls}
              help={texts.agents.shortCallsHelp}
              count={(row) => row.shortCalls}
              link="shortCalls"
            />
            <Bars
              {...{ agents, day, rows: data }}
              title={texts.agents.misses}
              help={texts.agents.missesHelp}
              count={(row) => row.rona}
              link="missed"
            />
            <Bars
              {...{ agents, day, rows: data.filter((row) => row.occupancy !== null) }}
              title={texts.figures.names.occupancy}
              help={texts.agents.occupancyHelp}
              count={(row) => Math.round((row.occupancy ?? 0) * 100)}
              unit="%"
              max={100}
              link="handled"
            />
          </>
        )}
      </Loaded>
    </section>
  );
}

interface BarsProps {
  agents: ReadonlyMap<string, Agent>;
  rows: readonly MetricsRow[];
  day: Day;
  title: string;
  help: string;
  count: (row: MetricsRow) => number;
  unit?: string;
  /** The value of a full bar. By default, the highest value shown. */
  max?: number;
  link: string;
}

function Bars({ agents, rows, day, title, help, count, unit = "", max, link }: BarsProps) {
  const counted = rows.filter((row) => row.agentId !== null && count(row) > 0);
  const shown = counted.sort((a, b) => count(b) - count(a)).slice(0, MAX_BARS);
  const whole = max ?? Math.max(1, ...shown.map(count));
  const description = (row: MetricsRow) =>
    unit === "" ? texts.agents.ofHandled(count(row), row.handled) : texts.agents.handled(row.handled);
  return (
    <section class={styles.bars} data-testid={`bars-${link}`}>
      <h3>{title}</h3>
      <p class={textStyles.help}>{help}</p>
      {shown.length === 0 ? (
        <p class={styles.none}>{texts.agents.none(dayName(day.from.getTime()))}</p>
      ) : null}
      <ol>
        {shown.map((row) => (
          <li key={row.agentId} data-agent-id={row.agentId}>
            <a href={callsAddress(row.links[link])} title={description(row)}>
              <span class={styles.barName}>{nameOf(agents, row.agentId ?? "")}</span>
              <span>
                <span class={styles.bar} style={{ width: `${(100 * count(row)) / whole}%` }} />
              </span>
              <span class={styles.barValue}>
                {count(row)}
                {unit === "" ? null : <span class={styles.barUnit}> {unit}</span>}
              </span>
              <span class={textStyles.hidden}>{description(row)}</span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
