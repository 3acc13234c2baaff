/** Draws charts with uPlot. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { MetricsRow } from "../../contracts";
import { clockDuration } from "../../model/durations";
import type { Day } from "../shell/DayChoice";

export interface Series {
  label: string;
  /** A custom property of tokens.css. */
  color: string;
  isBar?: boolean;
  value: (row: MetricsRow) => number | null;
}

export interface PlotOptions {
  day: Day;
  unit: string;
  max: number | undefined;
  series: readonly Series[];
  open: (index: number) => void;
}

export interface Plot {
  set: (rows: readonly MetricsRow[]) => void;
  close: () => void;
}

const HEIGHT = 190;
const AXIS_HEIGHT = 28;
/** The greatest width of a bar in px, so that a single bar looks like one quarter of an hour. */
const MAX_BAR_WIDTH = 6;
const MAX_SPARSE_POINTS = 12;
const WHOLE_STEPS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400];

export function draw(element: HTMLElement, options: PlotOptions): Plot {
  const plot = new uPlot(optionsOf(element, options), [[], ...options.series.map(() => [])], element);
  const fit = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
  fit.observe(element);
  plot.over.addEventListener("click", () => {
    if (plot.cursor.idx != null) options.open(plot.cursor.idx);
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => plot.redraw(false);
  dark.addEventListener("change", redraw);
  return {
    set(rows) {
      const starts = rows.map((row) => Date.parse(row.start) / 1_000);
      plot.setData([starts, ...options.series.map(({ value }) => rows.map(value))]);
    },
    close() {
      fit.disconnect();
      dark.removeEventListener("change", redraw);
      plot.destroy();
    },
  };
}

function optionsOf(element: HTMLElement, { day, unit, max, series }: PlotOptions): uPlot.Options {
  const colour = (name: string) => () => getComputedStyle(element).getPropertyValue(name);
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = {
    stroke: colour("--ink-3"),
    font,
    grid: { stroke: colour("--line") },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { range: [day.from.getTime() / 1_000, day.to.getTime() / 1_000] },
      y: { range: (_plot, _low, high) => [0, max ?? Math.max(1, high * 1.1)] },
    },
    axes: [
      { ...axis, space: 44, size: AXIS_HEIGHT, values: (_plot, ticks) => ticks.map(hour) },
      {
        ...axis,
        size: 46,
        incrs: unit === "s" ? TIME_STEPS : WHOLE_STEPS,
        values: (_plot, ticks) => ticks.map((tick) => measure(tick, unit)),
      },
    ],
    series: [{}, ...series.map((one) => lineOf(one, colour(one.color)))],
  };
}

function measure(tick: number, unit: string): string {
  if (unit === "s") return clockDuration(tick * 1_000);
  return unit === "" ? numberFormat.format(tick) : `${tick} ${unit}`;
}

function lineOf({ isBar, label }: Series, stroke: () => string): uPlot.Series {
  const bars =
    isBar === true && uPlot.paths.bars !== undefined
      ? { paths: uPlot.paths.bars({ size: [0.7, MAX_BAR_WIDTH] }) }
      : {};
  const fill = isBar === true ? { fill: stroke, alpha: 0.35 } : {};
  return {
    label,
    stroke,
    width: isBar === true ? 0 : 2,
    // A point between quarters without calls has no line, so it needs a mark.
    points: { size: 5, fill: stroke, show: (plot, index) => isBar !== true && isSparse(plot, index) },
    ...bars,
    ...fill,
  };
}

/** True if a series has too few values for a line. */
function isSparse(plot: uPlot, index: number): boolean {
  const known = Array.from<unknown>(plot.data[index] ?? []).filter((value) => value != null);
  return known.length <= MAX_SPARSE_POINTS;
}

const numberFormat = new Intl.NumberFormat("en");
const timeFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function hour(seconds: number): string {
  return timeFormat.format(seconds * 1_000);
}
