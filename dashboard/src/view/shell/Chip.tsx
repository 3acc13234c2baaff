/** A filter of the address with a button that removes it. */

import { texts } from "../../texts";
import * as styles from "./Chip.module.css";

interface ChipProps {
  testId: string;
  label: string;
  value?: string;
  onRemove: () => void;
}

export function Chip({ testId, label, value, onRemove }: ChipProps) {
  const remove = () => {
    onRemove();
    document.getElementById("content")?.focus(); // the button disappears with its chip
  };
  return (
    <span class={styles.chip} data-testid={testId}>
      <span class={styles.chipText} title={value}>
        {label} {value === undefined ? null : <b>{value}</b>}
      </span>
      <button type="button" aria-label={`${texts.removeFilter}: ${label}`} onClick={remove}>
        ×
      </button>
    </span>
  );
}
