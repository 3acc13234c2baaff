import { useEffect, useRef, useState } from "preact/hooks";
import type { Halt } from "../../feed/api";
import { texts } from "../../texts";
import { Mark } from "./icons";

const WORDS = {
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
  const [title, help] = WORDS[reason];
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== "") onToken(token);
  };
  return (
    <main class="sign-in" data-testid="sign-in" data-reason={reason}>
      <form class="card" onSubmit={submit}>
        <p class="wordmark">
          <Mark />
          {texts.product}
        </p>
        <h1>{title}</h1>
        <p class="help">{help}</p>
        <label class="field">
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
        <button type="submit" class="primary" disabled={token.trim() === ""}>
          {texts.signIn.submit}
        </button>
      </form>
    </main>
  );
}
