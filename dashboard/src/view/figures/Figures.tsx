/** The figures of a day: tiles, charts and tables. Each number opens the calls that it counts. */

import type { Query } from "../../address";
import type { Metrics, MetricsRow } from "../../contracts";
import { type Directory, languageName } from "../../model/filters";
import type { Summary } from "../../model/summary";
import { FORMULAS, type FormulaName, preferences } from "../../preferences";
import { texts } from "../../texts";
import { Choice } from "../shell/Choice";
import { QueueChoice } from "../shell/CommonFilters";
import { type Day, DayChoice } from "../shell/DayChoice";
import * as filterStyles from "../shell/filters.module.css";
import { LastUpdated, Loaded, type OpenResource, useResource } from "../shell/Loaded";
import * as layoutStyles from "../shell/layout.module.css";
import { Notice } from "../shell/Notice";
import { Charts } from "./Charts";
import * as styles from "./Figures.module.css";
import { FiguresTable } from "./FiguresTable";
import { FigureTiles } from "./FigureTiles";
import { figuresPath } from "./figures";

const EVERY_MS = 10_000;
const CHARTS_EVERY_MS = 30_000;

interface DayFiguresProps {
  day: Day;
  query: URLSearchParams;
  directory: Directory;
  /** The live calls. */
  summary: Summary;
  localNow: number;
  openResource: OpenResource;
  onGo: (address: string) => void;
}

interface FiguresProps extends DayFiguresProps {
  onQuery: (change: Query) => void;
}

export function Figures({ onQuery, ...props }: FiguresProps) {
  const { day, query, directory } = props;
  const queueId = query.get("queue") || null;
  const formula = preferences.formula.value;
  return (
    <>
      <section class={filterStyles.filters} aria-label={texts.figures.label}>
        <DayChoice day={day} onChoose={(name) => onQuery({ day: name })} />
        <QueueChoice queues={directory.queues} chosen={queueId} onChoose={(queue) => onQuery({ queue })} />
        <Choice
          label={texts.figures.formula}
          testId="formula"
          isWide
          value={formula}
          options={FORMULAS.map(
            (name) => [name, `${texts.figures.formula}: ${texts.figures.formulas[name]}`] as const,
          )}
          onChoose={(value) => {
            preferences.formula.value = FORMULAS.find((name) => name === value) ?? "ofOffered";
          }}
        />
      </section>
      <div class={layoutStyles.scroll}>
        <DayFigures key={`${day.name} ${queueId}`} {...{ queueId, formula }} {...props} />
      </div>
    </>
  );
}

function DayFigures(props: DayFiguresProps & { queueId: string | null; formula: FormulaName }) {
  const { day, queueId, directory, summary, localNow, openResource, onGo, formula } = props;
  const { queues, agents } = directory;
  const [every, chartsEvery] = day.isToday ? [EVERY_MS, CHARTS_EVERY_MS] : [null, null];
  const useFigures = (groupBy?: string, bucket?: string) =>
    useResource<Metrics>(
      openResource,
      figuresPath(day, { queueId, groupBy, bucket }),
      groupBy === "language" || bucket !== undefined ? chartsEvery : every,
    );
  const total = useFigures();
  const byQueue = useFigures("queue");
  const byLanguage = useFigures("language");
  const quarters = useFigures(undefined, "15m");
  const queueName = ({ queueId: id }: MetricsRow) => queues.get(id ?? "")?.name ?? id ?? "";
  const tiles = (
    <Loaded resource={total} localNow={localNow}>
      {({ data }) => <FigureTiles row={data[0]} {...{ day, formula, queueId, agents, summary }} />}
    </Loaded>
  );
  // Before the first read, one notice is enough.
  if (total.value.value === null) return tiles;
  return (
    <>
      {tiles}
      <LastUpdated updatedAt={total.updatedAt.value} state={total.state.value} localNow={localNow} />
      <div class={styles.chartPlace}>
        <Loaded resource={quarters} localNow={localNow}>
          {({ data }) =>
            data.every((row) => row.offered === 0) ? (
              <Notice title={texts.figures.noCalls} help={texts.figures.noCallsHelp} testId="empty" />
            ) : (
              <Charts day={day} rows={data} formula={formula} onGo={onGo} />
            )
          }
        </Loaded>
      </div>
      <Loaded resource={byQueue} localNow={localNow}>
        {({ data }) => (
          <FiguresTable
            title={texts.figures.byQueue}
            name={texts.columns.queue}
            nameOf={queueName}
            {...{ rows: data, formula }}
          />
        )}
      </Loaded>
      <Loaded resource={byLanguage} localNow={localNow}>
        {({ data }) => (
          <FiguresTable
            title={texts.figures.byLanguage}
            name={texts.columns.language}
            nameOf={(row) => languageName(row.language) ?? texts.figures.languageUnknown}
            {...{ rows: data, formula }}
          />
        )}
      </Loaded>
    </>
  );
}
