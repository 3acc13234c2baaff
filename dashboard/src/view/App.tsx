import { useEffect, useMemo, useState } from "preact/hooks";
import type { ServerClock } from "../clock";
import type { Config } from "../config";
import { forgetToken, savedToken, saveToken } from "../session";
import { Shell } from "./Shell";
import { SignIn } from "./shell/SignIn";
import { Store } from "./store";

interface AppProps {
  config: Config;
  clock: ServerClock;
}

export function App({ config, clock }: AppProps) {
  const [token, setToken] = useState(savedToken);
  const [session, setSession] = useState(0);
  const signIn = (entered: string) => {
    saveToken(entered);
    setToken(savedToken());
    setSession(session + 1); // also with the same token, which may be valid now
  };
  const signOut = () => {
    forgetToken();
    setToken(null);
  };
  if (token === null) return <SignIn reason="none" onToken={signIn} />;
  return <Session key={session} {...{ config, clock, token, signIn, signOut }} />;
}

interface SessionProps extends AppProps {
  token: string;
  signIn: (token: string) => void;
  signOut: () => void;
}

function Session({ config, clock, token, signIn, signOut }: SessionProps) {
  const store = useMemo(() => new Store(config, token, clock), [config, token, clock]);
  useEffect(() => {
    store.start();
    exposeCalls(store);
    return () => store.stop();
  }, [store]);
  const { halt } = store.feedStatus.value;
  if (halt !== null) return <SignIn reason={halt} onToken={signIn} />;
  return <Shell store={store} onSignOut={signOut} />;
}

declare global {
  interface Window {
    /** The live calls of the page, to compare them with `GET /api/calls`. */
    switchboard?: { floor: () => { id: string; status: string; version: number }[] };
  }
}

function exposeCalls(store: Store): void {
  window.switchboard = {
    floor: () =>
      [...store.feed.calls.live.values()].map(({ id, status, version }) => ({ id, status, version })),
  };
}
