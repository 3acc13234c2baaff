import * as styles from "./Choice.module.css";
import * as textStyles from "./text.module.css";

/** A drop-down list. Its label is for screen readers only, unless `shown`. */

interface ChoiceProps {
  label: string;
  testId: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  /** Shows the label. */
  shown?: boolean;
  /** As wide as its longest option. */
  isWide?: boolean;
  onChoose: (value: string) => void;
}

export function Choice({
  label,
  testId,
  value,
  options,
  shown = false,
  isWide = false,
  onChoose,
}: ChoiceProps) {
  return (
    <label class={styles.choice} data-wide={isWide}>
      <span class={shown ? styles.choiceLabel : textStyles.hidden}>{label}</span>
      <select
        data-testid={testId}
        title={label}
        value={value}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
