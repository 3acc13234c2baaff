/** The course of a day in three charts, and the same as a table for whoever does not read charts. */

import { useEffect, useRef } from "preact/hooks";
import type { MetricsRow } from "../../contracts";
import { clockTime } from "../../model/durations";
import { type FormulaName, preferences } from "../../preferences";
import { texts } from "../../texts";
import type { Day } from "../shell/DayChoice";
import type { Store } from "../store";
import { Groups } from "./FiguresTable";
import { callsAddress } from "./figures";
import type { Plot, Series } from "./plot";

interface ChartsProps {
  store: Store;
  day: Day;
  rows: readonly MetricsRow[];
  formula: FormulaName;
}

export function Charts({ store, day, rows, formula }: ChartsProps) {
  const { series, charts } = texts.figures;
  const open = (index: number) => {
    const address = callsAddress(rows[index]?.links.offered);
    if (address !== "") store.router.go(address);
  };
  const shared = { rows, day, open };
  return (
    <>
      <div class="chart-grid">
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
          most={100}
          series={[
            {
              label: series.level,
              color: "--accent",
              isBar: true,
              value: (row) => times(row.serviceLevel[formula], 100),
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
      <details class="block">
        <summary>{texts.figures.showTable}</summary>
        <Groups
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

function times(share: number | null, factor: number): number | null {
  return share === null ? null : share * factor;
}

interface ChartProps {
  rows: readonly MetricsRow[];
  day: Day;
  title: string;
  unit?: string;
  most?: number;
  series: readonly Series[];
  open: (index: number) => void;
}

function Chart({ rows, day, title, unit = "", most, series, open }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const theme = preferences.theme.value;
  const opener = useRef(open);
  opener.current = open;
  const latest = useRef(rows);
  latest.current = rows;
  useEffect(() => {
    let isGone = false;
    const element = place.current;
    if (element === null) return;
    // Loaded when first needed: the floor's first picture does not wait for it.
    void import("./plot").then(({ draw }) => {
      if (isGone) return;
      plot.current = draw(element, { day, unit, most, series, open: (index) => opener.current(index) });
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
    <figure class="chart" data-testid="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {series.map(({ label, color }) => (
            <span key={label}>
              <span class="swatch" style={{ background: `var(${color})` }} />
              {label}
            </span>
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={place} role="img" aria-label={title} title={texts.figures.chartHelp} />
    </figure>
  );
}
