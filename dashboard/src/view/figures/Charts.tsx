/** A day in three charts, and the same figures as a table. */

import { useEffect, useRef } from "preact/hooks";
import type { MetricsRow } from "../../contracts";
import { clockTime } from "../../model/durations";
import { type FormulaName, preferences } from "../../preferences";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";
import * as layoutStyles from "../shell/layout.module.css";
import * as styles from "./Charts.module.css";
import { FiguresTable } from "./FiguresTable";
import { callsAddress } from "./figures";
import type { Plot, Series } from "./plot";

interface ChartsProps {
  day: Day;
  rows: readonly MetricsRow[];
  formula: FormulaName;
  onGo: (address: string) => void;
}

export function Charts({ day, rows, formula, onGo }: ChartsProps) {
  const { series, charts } = texts.figures;
  const open = (index: number) => {
    const address = callsAddress(rows[index]?.links.offered);
    if (address !== "") onGo(address);
  };
  const shared = { rows, day, open };
  return (
    <>
      <div class={styles.chartGrid}>
        <Chart
          {...shared}
          title={charts.calls}
          series={[
            { label: series.offered, color: "--ink-3", isBar: true, value: (row) => row.offered },
            { label: series.answered, color: "--state-active", value: (row) => row.answered },
            { label: series.abandoned, color: "--red-mark", value: (row) => row.abandoned },
          ]}
        />
        <Chart
          {...shared}
          title={charts.level}
          unit="%"
          max={100}
          series={[
            {
              label: series.level,
              color: "--accent",
              isBar: true,
              value: ({ serviceLevel }) => toPercent(serviceLevel[formula]),
            },
          ]}
        />
        <Chart
          {...shared}
          title={charts.wait}
          unit="s"
          series={[
            { label: series.longest, color: "--amber-mark", value: (row) => row.longestWait },
            { label: series.asa, color: "--accent", value: (row) => row.asa },
          ]}
        />
      </div>
      <details class={layoutStyles.block}>
        <summary>{texts.figures.showTable}</summary>
        <FiguresTable
          title={texts.figures.table}
          name={texts.figures.start}
          rows={rows.filter(({ offered }) => offered > 0)}
          formula={formula}
          nameOf={({ start }) => clockTime(Date.parse(start)).slice(0, 5)}
        />
      </details>
    </>
  );
}

function toPercent(share: number | null): number | null {
  return share === null ? null : share * 100;
}

interface ChartProps {
  rows: readonly MetricsRow[];
  day: Day;
  title: string;
  unit?: string;
  max?: number;
  series: readonly Series[];
  open: (index: number) => void;
}

function Chart({ rows, day, title, unit = "", max, series, open }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const theme = preferences.theme.value;
  const opener = useRef(open);
  opener.current = open;
  const latest = useRef(rows);
  latest.current = rows;
  useEffect(() => {
    let isGone = false;
    const element = container.current;
    if (element === null) return;
    // Loaded on first use, so that the floor does not wait for it.
    void import("./plot").then(({ draw }) => {
      if (isGone) return;
      plot.current = draw(element, { day, unit, max, series, open: (index) => opener.current(index) });
      plot.current.set(latest.current);
    });
    return () => {
      isGone = true;
      plot.current?.close();
      plot.current = null;
    };
  }, [theme, day.name, title]);
  useEffect(() => plot.current?.set(rows), [rows]);
  return (
    <figure class={styles.chart} data-testid="chart">
      <figcaption>
        <span class={styles.chartTitle}>{title}</span>
        <span class={styles.legend}>
          {series.map(({ label, color }) => (
            <span key={label}>
              <span class={styles.swatch} style={{ background: `var(${color})` }} />
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <div
        class={styles.plot}
        ref={container}
        role="img"
        aria-label={title}
        title={texts.figures.chartHelp}
      />
    </figure>
  );
}
