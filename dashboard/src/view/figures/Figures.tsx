/** The day in figures: tiles, charts, and a table by queue; each number leads to the calls that it counts. */

import type { Metrics, MetricsRow } from "../../contracts";
import { languageName } from "../../model/filters";
import { FORMULAS, type FormulaName, preferences } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "../shell/Choice";
import { QueueChoice } from "../shell/CommonFilters";
import { type Day, DayChoice, dayOf } from "../shell/DayChoice";
import { Read, ReadAt, useResource } from "../shell/Loaded";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";
import { Charts } from "./Charts";
import { Groups } from "./FiguresTable";
import { FigureTiles } from "./FigureTiles";
import { figuresPath } from "./figures";

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
            (name) => [name, `${texts.figures.formula}: ${texts.figures.formulas[name]}`] as const,
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
  const whole = useResource<Metrics>(store, figuresPath(day, { queueId }), every);
  const byQueue = useResource<Metrics>(store, figuresPath(day, { queueId, groupBy: "queue" }), every);
  const byLanguage = useResource<Metrics>(
    store,
    figuresPath(day, { queueId, groupBy: "language" }),
    chartsEvery,
  );
  const quarters = useResource<Metrics>(store, figuresPath(day, { queueId, bucket: "15m" }), chartsEvery);
  const nameOf = (row: MetricsRow) =>
    store.feed.directory.queues.get(row.queueId ?? "")?.name ?? row.queueId ?? "";
  const tiles = (
    <Read store={store} reading={whole}>
      {(metrics) => <FigureTiles {...{ store, metrics, day, formula, queueId }} />}
    </Read>
  );
  // What has never been read is said once, not by each part.
  if (whole.value.value === null) return tiles;
  return (
    <>
      {tiles}
      <ReadAt store={store} reading={whole} />
      <div class="chart-place">
        <Read store={store} reading={quarters}>
          {({ data }) =>
            data.every((row) => row.offered === 0) ? (
              <Notice title={texts.figures.noCalls} help={texts.figures.noCallsHelp} testId="empty" />
            ) : (
              <Charts store={store} day={day} rows={data} formula={formula} />
            )
          }
        </Read>
      </div>
      <Read store={store} reading={byQueue}>
        {({ data }) => (
          <Groups
            title={texts.figures.byQueue}
            name={texts.columns.queue}
            {...{ rows: data, formula, nameOf }}
          />
        )}
      </Read>
      <Read store={store} reading={byLanguage}>
        {({ data }) => (
          <Groups
            title={texts.figures.byLanguage}
            name={texts.columns.language}
            nameOf={(row) => languageName(row.language) ?? texts.figures.languageUnknown}
            {...{ rows: data, formula }}
          />
        )}
      </Read>
    </>
  );
}
