/** Figures by group, a row each, every count leading to its calls. */

import type { MetricsRow } from "../../contracts";
import type { FormulaName } from "../../preferences";
import { texts } from "../../texts";
import { callsAddress, duration, mean, percent } from "./figures";

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
      <Counted row={row} link="asa" text={mean(row.asa)} />
      <Counted row={row} link="handled" text={mean(row.handleTime.aht)} />
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
