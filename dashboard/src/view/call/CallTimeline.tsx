/** A call's states, offers, holds and flags on a common time axis. */

import type { ComponentChildren } from "preact";
import type { Agent, Call, Event, Queue } from "../../contracts";
import { startMs } from "../../model/call-state";
import { clockDuration, clockTime } from "../../model/durations";
import { nameOf } from "../../model/filters";
import { flagsOf, holdsOf, type OfferSpan, offersOf, stateSpansOf } from "../../model/timeline";
import { texts } from "../../texts";
import * as styles from "./CallTimeline.module.css";

interface CallTimelineProps {
  call: Call;
  events: readonly Event[];
  queue: Queue | undefined;
  agents: ReadonlyMap<string, Agent>;
  now: number;
}

export function CallTimeline({ call, events, queue, agents, now }: CallTimelineProps) {
  const untilMs = call.endTime === null ? now : Date.parse(call.endTime);
  const fromMs = startMs(call);
  const scale = new Scale(fromMs, Math.max(untilMs, fromMs + 1_000));
  const stateSpans = stateSpansOf(events, untilMs);
  const offers = offersOf(events, untilMs);
  const holds = holdsOf(events, untilMs, queue?.holdSeconds ?? 60);
  const flags = flagsOf(call, events, queue, untilMs);
  const agentName = (agentId: string) => nameOf(agents, agentId);
  const { panel } = texts;
  const descriptions = stateSpans.map(({ state, ...span }) => `${texts.states[state]} ${lengthOf(span)}`);
  return (
    <section class={styles.timeline} aria-label={panel.timeline}>
      <div role="img" aria-label={descriptions.join(", ")}>
        <Lane name={panel.stateLane}>
          {stateSpans.map(({ state, ...span }, index) => (
            <span
              key={span.fromMs}
              class={styles.span}
              data-state={state}
              title={descriptions[index]}
              style={scale.of(span)}
            />
          ))}
        </Lane>
        {offers.length === 0 ? null : (
          <Lane name={panel.offers}>
            {offers.map((offer) => (
              <span
                key={offer.fromMs}
                class={styles.span}
                data-outcome={offer.outcome}
                title={`${agentName(offer.agentId)}: ${panel.offerOutcome[offer.outcome]} ${lengthOf(offer)}`}
                style={scale.of(offer)}
              />
            ))}
          </Lane>
        )}
        {holds.length === 0 ? null : (
          <Lane name={panel.holds}>
            {holds.map((hold) => (
              <span
                key={hold.fromMs}
                class={styles.span}
                data-state="on_hold"
                title={lengthOf(hold)}
                style={scale.of(hold)}
              />
            ))}
            {holds.map(({ fromMs: startedMs, exceededMs }) =>
              exceededMs === null ? null : (
                <span
                  key={startedMs}
                  class={styles.limit}
                  title={panel.limit(queue?.holdSeconds ?? 60)}
                  style={scale.at(exceededMs)}
                />
              ),
            )}
          </Lane>
        )}
        {flags.length === 0 ? null : (
          <Lane name={panel.flagsAt}>
            {flags.map(({ flag, atMs, isVoid }) => (
              <span
                key={`${flag} ${atMs}`}
                class={styles.moment}
                data-flag={flag}
                data-void={isVoid}
                title={`${texts.flags[flag] ?? flag} ${clockTime(atMs)}${isVoid ? ` (${panel.void})` : ""}`}
                style={scale.at(atMs)}
              />
            ))}
          </Lane>
        )}
        <p class={styles.axis}>
          <span>{clockTime(fromMs)}</span>
          <span>{call.endTime === null ? panel.now : clockTime(untilMs)}</span>
        </p>
      </div>
      <Offers offers={offers} agentName={agentName} />
    </section>
  );
}

/** Converts times to percentages of the call's length. */
class Scale {
  constructor(
    private readonly fromMs: number,
    private readonly toMs: number,
  ) {}

  of({ fromMs, toMs }: { fromMs: number; toMs: number }) {
    const left = this.percent(fromMs);
    return { left: `${left}%`, width: `${this.percent(toMs) - left}%` };
  }

  at(ms: number) {
    return { left: `${this.percent(ms)}%` };
  }

  private percent(ms: number): number {
    const share = (ms - this.fromMs) / (this.toMs - this.fromMs);
    return Math.round(Math.min(1, Math.max(0, share)) * 10_000) / 100;
  }
}

function lengthOf({ fromMs, toMs }: { fromMs: number; toMs: number }): string {
  return clockDuration(toMs - fromMs);
}

function Lane({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class={styles.lane}>
      <span class={styles.laneName}>{name}</span>
      <span class={styles.laneTrack}>{children}</span>
    </div>
  );
}

interface OffersProps {
  offers: readonly OfferSpan[];
  agentName: (agentId: string) => string;
}

/** The offers as a list: the agent, the outcome and the duration. */
function Offers({ offers, agentName }: OffersProps) {
  if (offers.length === 0) return null;
  return (
    <ol class={styles.offers} aria-label={texts.panel.offers} data-testid="offers">
      {offers.map((offer) => (
        <li key={offer.fromMs} data-agent-id={offer.agentId} data-outcome={offer.outcome}>
          <span class={styles.offerAgent}>{agentName(offer.agentId)}</span>
          <span class={styles.offerOutcome}>{texts.panel.offerOutcome[offer.outcome]}</span>
          <span class={styles.offerLength}>{lengthOf(offer)}</span>
        </li>
      ))}
    </ol>
  );
}
