/** The day in figures: tiles, charts, and a table by queue; each number leads to the calls that it counts. */

import type { Metrics, MetricsRow } from "../../contracts";
import { clockDuration } from "../../floor/durations";
import { languageName } from "../../floor/filters";
import { FORMULAS, type FormulaName, preferences } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "../shell/Choice";
import { QueueChoice } from "../shell/choices";
import { type Day, DayChoice, dayOf } from "../shell/DayChoice";
import { Notice } from "../shell/Notice";
import { Read, ReadAt, useReading } from "../shell/useReading";
import type { Store } from "../store";
import { Charts } from "./Charts";
import { FigureTiles } from "./FigureTiles";
import { callsAddress, metricsPath, percent } from "./metrics";

const EVERY_MS = 10_000;
const CHARTS_EVERY_MS = 30_000;

export function Figures({ store }: { store: Store }) {
  const day = dayOf(store.router.get("day"), store.now.value);
  const queueId = store.router.get("queue");
  const formula = preferences.formula.value;
  return (
    <>
      <section class="filters" aria-label={texts.figures.label}>
        <DayChoice store={store} day={day} />
        <QueueChoice store={store} />
        <Choice
          label={texts.figures.formula}
          testId="formula"
          value={formula}
          options={FORMULAS.map(
            (name) => [name, `${texts.figures.formula} ${texts.figures.formulas[name]}`] as const,
          )}
          onChoose={(value) => {
            preferences.formula.value = FORMULAS.find((name) => name === value) ?? "ofOffered";
          }}
        />
      </section>
      <div class="scroll">
        <DayFigures key={`${day.name} ${queueId}`} {...{ store, day, queueId, formula }} />
      </div>
    </>
  );
}

interface DayFiguresProps {
  store: Store;
  day: Day;
  queueId: string | null;
  formula: FormulaName;
}

function DayFigures({ store, day, queueId, formula }: DayFiguresProps) {
  const [every, chartsEvery] = day.isToday ? [EVERY_MS, CHARTS_EVERY_MS] : [null, null];
  const whole = useReading<Metrics>(store, metricsPath(day, { queueId }), every);
  const byQueue = useReading<Metrics>(store, metricsPath(day, { queueId, groupBy: "queue" }), every);
  const byLanguage = useReading<Metrics>(
    store,
    metricsPath(day, { queueId, groupBy: "language" }),
    chartsEvery,
  );
  const quarters = useReading<Metrics>(store, metricsPath(day, { queueId, bucket: "15m" }), chartsEvery);
  const nameOf = (row: MetricsRow) =>
    store.feed.directory.queues.get(row.queueId ?? "")?.name ?? row.queueId ?? "";
  const tiles = (
    <Read reading={whole}>{(metrics) => <FigureTiles {...{ store, metrics, day, formula, queueId }} />}</Read>
  );
  // What has never been read is said once, not by each part.
  if (whole.value.value === null) return tiles;
  return (
    <>
      {tiles}
      <ReadAt store={store} reading={whole} />
      <div class="chart-place">
        <Read reading={quarters}>
          {({ data }) =>
            data.every((row) => row.offered === 0) ? (
              <Notice title={texts.figures.noCalls} help={texts.figures.noCallsHelp} testId="empty" />
            ) : (
              <Charts store={store} day={day} rows={data} formula={formula} />
            )
          }
        </Read>
      </div>
      <Read reading={byQueue}>
        {({ data }) => (
          <Groups
            title={texts.figures.byQueue}
            name={texts.columns.queue}
            {...{ rows: data, formula, nameOf }}
          />
        )}
      </Read>
      <Read reading={byLanguage}>
        {({ data }) => (
          <Groups
            title={texts.figures.byLanguage}
            name={texts.columns.language}
            nameOf={(row) => languageName(row.language) ?? texts.board.none}
            {...{ rows: data, formula }}
          />
        )}
      </Read>
    </>
  );
}

interface GroupsProps {
  title: string;
  name: string;
  rows: readonly MetricsRow[];
  formula: FormulaName;
  nameOf: (row: MetricsRow) => string;
}

const COUNTS = ["offered", "answered", "abandoned", "slaBreached", "shortCalls"] as const;

export function Groups({ title, name, rows, formula, nameOf }: GroupsProps) {
  const { names } = texts.figures;
  if (rows.length === 0) return null;
  return (
    <section class="block">
      <header class="block-head">
        <h2>{title}</h2>
      </header>
      <table class="table figures-table" data-testid={`table-${name.toLowerCase()}`}>
        <thead>
          <tr>
            <th scope="col">{name}</th>
            {COUNTS.map((figure) => (
              <th key={figure} scope="col" class="number">
                {names[figure]}
              </th>
            ))}
            <th scope="col" class="number" title={texts.figures.formulas[formula]}>
              {names.serviceLevel}
            </th>
            <th scope="col" class="number">
              {names.abandonRate}
            </th>
            <th scope="col" class="number" title={names.asa}>
              {texts.figures.asaShort}
            </th>
            <th scope="col" class="number" title={names.aht}>
              {texts.figures.ahtShort}
            </th>
            <th scope="col" class="number">
              {names.longestWait}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <GroupRow key={`${nameOf(row)} ${row.start}`} {...{ row, formula, name: nameOf(row) }} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function GroupRow({ row, formula, name }: { row: MetricsRow; formula: FormulaName; name: string }) {
  return (
    <tr data-offered={row.offered}>
      <th scope="row" title={name}>
        {name}
      </th>
      {COUNTS.map((figure) => (
        <Counted key={figure} row={row} link={figure} text={texts.count(row[figure])} />
      ))}
      <Counted row={row} link="answeredInTime" text={withUnit(percent(row.serviceLevel[formula]))} />
      <Counted row={row} link="abandoned" text={withUnit(percent(row.abandonRate))} />
      <Counted row={row} link="asa" text={duration(row.asa)} />
      <Counted row={row} link="handled" text={duration(row.handleTime.aht)} />
      <Counted row={row} link="longestWait" text={duration(row.longestWait)} />
    </tr>
  );
}

function Counted({ row, link, text }: { row: MetricsRow; link: string; text: string }) {
  return (
    <td class="number">
      {text === texts.nothing || text === "0" ? text : <a href={callsAddress(row.links[link])}>{text}</a>}
    </td>
  );
}

function withUnit(share: string | null): string {
  return share === null ? texts.nothing : texts.figures.percent(share);
}

export function duration(seconds: number | null): string {
  return seconds === null ? texts.nothing : clockDuration(seconds * 1_000);
}
