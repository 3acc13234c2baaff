import { useEffect, useRef, useState } from "preact/hooks";
import type { Halt } from "../../feed/api";
import { texts } from "../../texts";
import * as controlStyles from "./controls.module.css";
import { Wordmark } from "./icons";
import * as styles from "./SignIn.module.css";
import * as textStyles from "./text.module.css";

const MESSAGES = {
  none: [texts.signIn.title, texts.signIn.help],
  session_ended: [texts.signIn.ended, texts.signIn.endedHelp],
  forbidden: [texts.signIn.forbidden, texts.signIn.forbiddenHelp],
} as const;

interface SignInProps {
  reason: Halt | "none";
  onToken: (token: string) => void;
}

export function SignIn({ reason, onToken }: SignInProps) {
  const [token, setToken] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const [title, help] = MESSAGES[reason];
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== "") onToken(token);
  };
  return (
    <main class={styles.signIn} data-testid="sign-in" data-reason={reason}>
      <form class={styles.card} onSubmit={submit}>
        <Wordmark />
        <h1>{title}</h1>
        <p class={textStyles.help}>{help}</p>
        <label class={styles.field}>
          <span>{texts.signIn.token}</span>
          <input
            ref={field}
            type="password"
            name="token"
            autocomplete="off"
            spellcheck={false}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class={controlStyles.primary} disabled={token.trim() === ""}>
          {texts.signIn.submit}
        </button>
      </form>
    </main>
  );
}
