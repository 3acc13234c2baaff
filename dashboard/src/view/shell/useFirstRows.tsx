/** The first rows of a long list, and a button for more. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { texts } from "../../texts";
import * as controlStyles from "./controls.module.css";

const STEP = 100;

export function useFirstRows<T>(rows: readonly T[]): [shown: readonly T[], more: ComponentChildren] {
  const [count, setCount] = useState(STEP);
  const more =
    rows.length <= count ? null : (
      <button
        type="button"
        class={`${controlStyles.primary} ${controlStyles.more}`}
        data-testid="more"
        onClick={() => setCount(count + STEP)}
      >
        {texts.more}
      </button>
    );
  return [rows.slice(0, count), more];
}
