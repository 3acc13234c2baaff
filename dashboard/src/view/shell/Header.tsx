import { formatAddress, type View } from "../../address";
import type { Connection as State } from "../../feed/connection";
import { clockTime, roughAge } from "../../model/durations";
import { texts } from "../../texts";
import type { Store } from "../store";
import { Mark } from "./icons";

/** Below this a picture counts as up to date; a quiet floor is proven again within this time. */
const FRESH_MS = 2_000;

interface HeaderProps {
  store: Store;
  onSignOut: () => void;
  onHelp: () => void;
}

/** In the order of the keys 1 to 5. */
export const NAVIGATION = ["floor", "agents", "figures", "alerts", "letters"] as const satisfies View[];

function Navigation({ store }: { store: Store }) {
  const current = store.router.view.value;
  const open = store.desk.open.value.length;
  return (
    <nav class="nav" aria-label={texts.navigation}>
      {NAVIGATION.map((view) => (
        <a
          key={view}
          href={formatAddress(view)}
          aria-current={view === current ? "page" : undefined}
          data-testid={`nav-${view}`}
        >
          {texts.views[view]}
          {view === "alerts" && open > 0 ? (
            <span class="badge" data-testid="open-alerts">
              {open}
              <span class="hidden"> {texts.openAlerts(open)}</span>
            </span>
          ) : null}
        </a>
      ))}
    </nav>
  );
}

export function Header({ store, onSignOut, onHelp }: HeaderProps) {
  return (
    <header class="header">
      <p class="wordmark">
        <Mark />
        {texts.product}
      </p>
      <Navigation store={store} />
      <Connection store={store} />
      <ServerTime store={store} />
      <button
        type="button"
        class="quiet icon"
        aria-label={texts.help.open}
        title={texts.help.open}
        data-testid="help"
        onClick={onHelp}
      >
        ?
      </button>
      <button type="button" class="quiet sign-out" onClick={onSignOut}>
        {texts.signIn.signOut}
      </button>
    </header>
  );
}

function Connection({ store }: { store: Store }) {
  const { connection, confirmedAt, errorMessage } = store.picture.value;
  const isLive = connection === "live";
  const why = errorMessage === null ? "" : ` (${errorMessage})`;
  const asOf = confirmedAt === null ? null : clockTime(confirmedAt + store.clock.offsetMs);
  const explanation = helpFor(connection, asOf);
  const help = isLive ? "" : `${explanation}${why}`;
  return (
    <div class="connection" data-testid="connection" data-state={connection}>
      <span
        class="pill"
        title={isLive && store.hasNoQueues.value ? texts.firstSteps.connection : explanation}
      >
        <span class="pulse" aria-hidden="true" />
        <span role="status">{texts.connection[connection]}</span>
      </span>
      <Age store={store} />
      <span class="connection-help" title={help}>
        {help}
      </span>
      {isLive || confirmedAt === null ? null : (
        <button type="button" class="quiet" onClick={() => store.feed.retryNow()}>
          {texts.tryNow}
        </button>
      )}
    </div>
  );
}

function helpFor(connection: State, asOf: string | null): string {
  if (connection !== "offline") return texts.connectionHelp[connection];
  return asOf === null ? texts.noPicture : texts.connectionLost(asOf);
}

function Age({ store }: { store: Store }) {
  const { connection, confirmedAt } = store.picture.value;
  store.now.value; // steps with the clock
  const age = confirmedAt === null ? null : Date.now() - confirmedAt;
  const shown =
    age === null
      ? texts.age.none
      : age < FRESH_MS && connection === "live"
        ? texts.age.now
        : texts.age.ago(roughAge(age));
  const title =
    confirmedAt === null ? undefined : texts.age.asOf(clockTime(confirmedAt + store.clock.offsetMs));
  return (
    <span
      class="age"
      data-testid="age"
      data-age-seconds={age === null ? "" : Math.floor(age / 1_000)}
      title={title}
    >
      {shown}
    </span>
  );
}

function ServerTime({ store }: { store: Store }) {
  const now = store.now.value;
  return (
    <time class="server-time" dateTime={new Date(now).toISOString()} title={texts.serverTime}>
      {clockTime(now)}
    </time>
  );
}
