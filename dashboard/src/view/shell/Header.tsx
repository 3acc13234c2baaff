import { formatAddress, type View } from "../../address";
import type { Connection } from "../../feed/connection";
import { clockTime, roughAge } from "../../model/durations";
import { texts } from "../../texts";
import * as controlStyles from "./controls.module.css";
import * as styles from "./Header.module.css";
import { Wordmark } from "./icons";
import * as textStyles from "./text.module.css";

/** Younger data count as up to date. Without events, the data are confirmed again within this time. */
const FRESH_MS = 2_000;

/** In the order of the keys 1 to 5. */
export const NAVIGATION = ["floor", "agents", "figures", "alerts", "dead-letters"] as const satisfies View[];

interface HeaderProps extends ConnectionProps {
  view: View;
  openAlerts: number;
  /** The server's time. */
  now: number;
  onSignOut: () => void;
  onHelp: () => void;
}

export function Header({ view, openAlerts, now, onSignOut, onHelp, ...connection }: HeaderProps) {
  return (
    <header class={styles.header}>
      <Wordmark />
      <Navigation view={view} openAlerts={openAlerts} />
      <ConnectionStatus {...connection} />
      <time
        class={styles.serverTime}
        data-testid="server-time"
        dateTime={new Date(now).toISOString()}
        title={texts.serverTime}
      >
        {clockTime(now)}
      </time>
      <button
        type="button"
        class={`${controlStyles.quiet} ${controlStyles.icon}`}
        aria-label={texts.help.open}
        title={texts.help.open}
        data-testid="help"
        onClick={onHelp}
      >
        ?
      </button>
      <button type="button" class={`${controlStyles.quiet} ${styles.signOut}`} onClick={onSignOut}>
        {texts.signIn.signOut}
      </button>
    </header>
  );
}

function Navigation({ view: current, openAlerts }: { view: View; openAlerts: number }) {
  return (
    <nav class={styles.nav} aria-label={texts.navigation}>
      {NAVIGATION.map((view) => (
        <a
          key={view}
          href={formatAddress(view)}
          aria-current={view === current ? "page" : undefined}
          data-testid={`nav-${view}`}
        >
          {texts.views[view]}
          {view === "alerts" && openAlerts > 0 ? (
            <span class={styles.badge}>
              {openAlerts}
              <span class={textStyles.hidden}> {texts.openAlerts(openAlerts)}</span>
            </span>
          ) : null}
        </a>
      ))}
    </nav>
  );
}

interface ConnectionProps {
  connection: Connection;
  errorMessage: string | null;
  /** Since the data were last confirmed, or null before the first read. */
  ageMs: number | null;
  /** When the data were last confirmed, by the server's clock. */
  confirmedAt: number | null;
  hasNoQueues: boolean;
  onRetry: () => void;
}

function ConnectionStatus(props: ConnectionProps) {
  const { connection, errorMessage, ageMs, confirmedAt, hasNoQueues, onRetry } = props;
  const isLive = connection === "live";
  const explanation = explain(connection, confirmedAt);
  const reason = errorMessage === null ? "" : ` (${errorMessage})`;
  const help = isLive ? "" : `${explanation}${reason}`;
  return (
    <div class={styles.connection} data-testid="connection" data-state={connection}>
      <span class={styles.pill} title={isLive && hasNoQueues ? texts.firstSteps.connection : explanation}>
        <span class={styles.pulse} aria-hidden="true" />
        <span role="status">{texts.connection[connection]}</span>
      </span>
      <span
        class={styles.age}
        data-testid="age"
        title={confirmedAt === null ? undefined : texts.age.asOf(clockTime(confirmedAt))}
      >
        {ageText(ageMs, isLive)}
      </span>
      <span class={styles.connectionHelp} title={help}>
        {help}
      </span>
      {isLive || confirmedAt === null ? null : (
        <button type="button" class={controlStyles.quiet} onClick={onRetry}>
          {texts.tryNow}
        </button>
      )}
    </div>
  );
}

function explain(connection: Connection, confirmedAt: number | null): string {
  if (connection !== "offline") return texts.connectionHelp[connection];
  return confirmedAt === null ? texts.noResponse : texts.connectionLost(clockTime(confirmedAt));
}

function ageText(ageMs: number | null, isLive: boolean): string {
  if (ageMs === null) return texts.age.none;
  return ageMs < FRESH_MS && isLive ? texts.age.now : texts.age.ago(roughAge(ageMs));
}
