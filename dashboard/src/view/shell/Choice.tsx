/** One of several, with its name told to whoever cannot see it, or shown to all. */

interface ChoiceProps {
  label: string;
  testId: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  shown?: boolean;
  onChoose: (value: string) => void;
}

export function Choice({ label, testId, value, options, shown = false, onChoose }: ChoiceProps) {
  return (
    <label class="choice">
      <span class={shown ? "choice-label" : "hidden"}>{label}</span>
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
