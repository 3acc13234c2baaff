/** One thing that is asked for, and a button to leave it out. */

import { texts } from "../../texts";

interface ChipProps {
  testId: string;
  label: string;
  value?: string;
  onRemove: () => void;
}

export function Chip({ testId, label, value, onRemove }: ChipProps) {
  const remove = () => {
    onRemove();
    document.getElementById("content")?.focus(); // the button goes with its chip
  };
  return (
    <span class="chip" data-testid={testId}>
      <span class="chip-text" title={value}>
        {label} {value === undefined ? null : <b>{value}</b>}
      </span>
      <button type="button" aria-label={`${texts.removeFilter}: ${label}`} onClick={remove}>
        ×
      </button>
    </span>
  );
}
