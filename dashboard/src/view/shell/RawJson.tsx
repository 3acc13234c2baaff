import * as styles from "./RawJson.module.css";

/** A value as indented JSON. */
export function RawJson({ value, testId }: { value: unknown; testId?: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, also by keys
    <pre class={styles.raw} data-testid={testId} tabIndex={0}>
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}
