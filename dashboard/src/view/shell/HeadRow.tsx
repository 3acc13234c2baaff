import * as tableStyles from "./table.module.css";

/** `number`: aligned right. `optional`: hidden on a phone. */
export type Column = readonly [label: string, classes?: string | undefined, title?: string];

export const NUMBER = tableStyles.number;
export const OPTIONAL = tableStyles.optional;

/** The head of a table. */
export function HeadRow({ columns }: { columns: readonly Column[] }) {
  return (
    <thead>
      <tr>
        {columns.map(([label, classes, title]) => (
          <th key={label} scope="col" class={classes} title={title}>
            {label}
          </th>
        ))}
      </tr>
    </thead>
  );
}
