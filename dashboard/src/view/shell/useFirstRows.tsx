/** The first of many rows, and a button for more. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { texts } from "../../texts";

const ROWS = 100;

export function useFirstRows<T>(rows: readonly T[]): [shown: readonly T[], more: ComponentChildren] {
  const [count, setCount] = useState(ROWS);
  const more =
    rows.length <= count ? null : (
      <button type="button" class="primary more" data-testid="more" onClick={() => setCount(count + ROWS)}>
        {texts.more}
      </button>
    );
  return [rows.slice(0, count), more];
}
