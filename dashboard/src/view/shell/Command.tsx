/** A shell command with a button that copies it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { texts } from "../../texts";

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
      // Browsers offer no clipboard to a page without HTTPS: leave the command selected, so that one key copies it.
      if (code.current !== null) getSelection()?.selectAllChildren(code.current);
      setOutcome("failed");
    }
  };
  const { copied, copy: idle, copyFailed } = texts.command;
  const said = outcome === "copied" ? copied : outcome === "failed" ? copyFailed : "";
  return (
    <div class="command">
      <pre>
        <code ref={code}>{text}</code>
      </pre>
      <button type="button" class="quiet" data-outcome={outcome} onClick={copy}>
        {outcome === "copied" ? copied : idle}
        <span class="hidden">: {label}</span>
      </button>
      <p class={outcome === "failed" ? "command-note" : "hidden"} role="status">
        {said}
      </p>
    </div>
  );
}
