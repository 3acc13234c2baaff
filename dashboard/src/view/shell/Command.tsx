/** A shell command with a button that copies it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { texts } from "../../texts";
import * as styles from "./Command.module.css";
import * as controlStyles from "./controls.module.css";
import * as textStyles from "./text.module.css";

const FEEDBACK_MS = 2_000;

type Outcome = "idle" | "copied" | "failed";

export function Command({ label, text }: { label: string; text: string }) {
  const [outcome, setOutcome] = useState<Outcome>("idle");
  const code = useRef<HTMLElement>(null);
  useEffect(() => {
    if (outcome !== "copied") return;
    const timer = setTimeout(() => setOutcome("idle"), FEEDBACK_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("copied");
    } catch {
      // Without HTTPS there is no clipboard: select the command, so that one key copies it.
      if (code.current !== null) getSelection()?.selectAllChildren(code.current);
      setOutcome("failed");
    }
  };
  const { copied, copy: idle, copyFailed } = texts.command;
  const status = outcome === "copied" ? copied : outcome === "failed" ? copyFailed : "";
  return (
    <div class={styles.command}>
      <pre>
        <code ref={code}>{text}</code>
      </pre>
      <button type="button" class={controlStyles.quiet} data-outcome={outcome} onClick={copy}>
        {outcome === "copied" ? copied : idle}
        <span class={textStyles.hidden}>: {label}</span>
      </button>
      <p class={outcome === "failed" ? styles.commandNote : textStyles.hidden} role="status">
        {status}
      </p>
    </div>
  );
}
