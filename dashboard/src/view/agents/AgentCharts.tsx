/** Bars by agent over a day: short calls, missed offers, occupancy. Each opens the calls that it is made of. */

import type { Metrics, MetricsRow } from "../../contracts";
import { dayName } from "../../model/durations";
import { texts } from "../../texts";
import { callsAddress, figuresPath } from "../figures/figures";
import { type Day, DayChoice, dayOf } from "../shell/DayChoice";
import { Read, ReadAt, useResource } from "../shell/Loaded";
import type { Store } from "../store";

const EVERY_MS = 30_000;
const MOST_BARS = 15;

export function AgentCharts({ store, queue }: { store: Store; queue: string | null }) {
  const day = dayOf(store.router.get("day"), store.now.value);
  const reading = useResource<Metrics>(
    store,
    figuresPath(day, { groupBy: "agent", queueId: queue }),
    day.isToday ? EVERY_MS : null,
  );
  return (
    <section class="block charts">
      <header class="block-head">
        <h2>{texts.agents.charts}</h2>
        <DayChoice store={store} day={day} />
      </header>
      <ReadAt store={store} reading={reading} />
      <Read store={store} reading={reading}>
        {({ data }) => (
          <>
            <Bars
              {...{ store, rows: data, day }}
              title={texts.agents.shortCalls}
              help={texts.agents.shortCallsHelp}
              count={(row) => row.shortCalls}
              link="shortCalls"
            />
            <Bars
              {...{ store, rows: data, day }}
              title={texts.agents.misses}
              help={texts.agents.missesHelp}
              count={(row) => row.rona}
              link="missed"
            />
            <Bars
              {...{ store, rows: data.filter((row) => row.occupancy !== null), day }}
              title={texts.figures.names.occupancy}
              help={texts.agents.occupancyHelp}
              count={(row) => Math.round((row.occupancy ?? 0) * 100)}
              unit="%"
              most={100}
              link="handled"
            />
          </>
        )}
      </Read>
    </section>
  );
}

interface BarsProps {
  store: Store;
  rows: readonly MetricsRow[];
  day: Day;
  title: string;
  help: string;
  count: (row: MetricsRow) => number;
  unit?: string;
  /** The whole that a full bar stands for; by default the most that is shown. */
  most?: number;
  link: string;
}

function Bars({ store, rows, day, title, help, count, unit = "", most, link }: BarsProps) {
  const counted = rows.filter((row) => row.agentId !== null && count(row) > 0);
  const shown = counted.sort((a, b) => count(b) - count(a)).slice(0, MOST_BARS);
  const whole = most ?? Math.max(1, ...shown.map(count));
  const told = (row: MetricsRow) =>
    unit === "" ? texts.agents.ofHandled(count(row), row.handled) : texts.agents.handled(row.handled);
  const nameOf = (id: string) => store.feed.directory.agents.get(id)?.name ?? id;
  return (
    <section class="bars" data-testid={`bars-${link}`}>
      <h3>{title}</h3>
      <p class="help">{help}</p>
      {shown.length === 0 ? <p class="none">{texts.agents.none(dayName(day.from.getTime()))}</p> : null}
      <ol>
        {shown.map((row) => (
          <li key={row.agentId} data-agent-id={row.agentId} data-count={count(row)}>
            <a href={callsAddress(row.links[link])} title={told(row)}>
              <span class="bar-name">{nameOf(row.agentId ?? "")}</span>
              <span class="bar-track">
                <span class="bar" style={{ width: `${(100 * count(row)) / whole}%` }} />
              </span>
              <span class="bar-value">
                {count(row)}
                {unit === "" ? null : <span class="bar-unit"> {unit}</span>}
              </span>
              <span class="hidden">{told(row)}</span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
