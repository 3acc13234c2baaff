/** A table of figures with a row for each group. Each number opens its calls. */

import type { MetricsRow } from "../../contracts";
import type { FormulaName } from "../../preferences";
import { texts } from "../../texts";
import { HeadRow, NUMBER } from "../shell/HeadRow";
import * as layoutStyles from "../shell/layout.module.css";
import * as tableStyles from "../shell/table.module.css";
import { callsAddress, duration, mean, percent } from "./figures";

interface FiguresTableProps {
  title: string;
  name: string;
  rows: readonly MetricsRow[];
  formula: FormulaName;
  nameOf: (row: MetricsRow) => string;
}

const COUNTS = ["offered", "answered", "abandoned", "slaBreached", "shortCalls"] as const;

export function FiguresTable({ title, name, rows, formula, nameOf }: FiguresTableProps) {
  const { names } = texts.figures;
  if (rows.length === 0) return null;
  return (
    <section class={layoutStyles.block}>
      <header class={layoutStyles.blockHead}>
        <h2>{title}</h2>
      </header>
      <table class={tableStyles.table} data-testid={`table-${name.toLowerCase()}`}>
        <HeadRow
          columns={[
            [name],
            ...COUNTS.map((figure) => [names[figure], NUMBER] as const),
            [names.serviceLevel, NUMBER, texts.figures.formulas[formula]],
            [names.abandonRate, NUMBER],
            [texts.figures.asaShort, NUMBER, names.asa],
            [texts.figures.ahtShort, NUMBER, names.aht],
            [names.longestWait, NUMBER],
          ]}
        />
        <tbody>
          {rows.map((row) => (
            <FiguresRow key={`${nameOf(row)} ${row.start}`} {...{ row, formula, name: nameOf(row) }} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function FiguresRow({ row, formula, name }: { row: MetricsRow; formula: FormulaName; name: string }) {
  return (
    <tr>
      <th scope="row" title={name}>
        {name}
      </th>
      {COUNTS.map((figure) => (
        <LinkedNumber key={figure} row={row} link={figure} text={texts.count(row[figure])} />
      ))}
      <LinkedNumber row={row} link="answeredInTime" text={withUnit(percent(row.serviceLevel[formula]))} />
      <LinkedNumber row={row} link="abandoned" text={withUnit(percent(row.abandonRate))} />
      <LinkedNumber row={row} link="asa" text={mean(row.asa)} />
      <LinkedNumber row={row} link="handled" text={mean(row.handleTime.aht)} />
      <LinkedNumber row={row} link="longestWait" text={duration(row.longestWait)} />
    </tr>
  );
}

function LinkedNumber({ row, link, text }: { row: MetricsRow; link: string; text: string }) {
  return (
    <td class={tableStyles.number}>
      {text === texts.nothing || text === "0" ? text : <a href={callsAddress(row.links[link])}>{text}</a>}
    </td>
  );
}

function withUnit(share: string | null): string {
  return share === null ? texts.nothing : texts.figures.percent(share);
}
