/** A call's course to scale: waits and talk, offers, holds with their limit, flags at their moments. */

import type { ComponentChildren } from "preact";
import type { Call, Event } from "../../contracts";
import { startMs } from "../../model/call-state";
import { clockDuration, clockTime } from "../../model/durations";
import { flagsOf, holdsOf, type OfferSpan, offersOf, stateSpansOf } from "../../model/timeline";
import { texts } from "../../texts";
import type { Store } from "../store";

interface CourseProps {
  store: Store;
  call: Call;
  events: readonly Event[];
}

export function Course({ store, call, events }: CourseProps) {
  const { queues, agents } = store.feed.directory;
  const queue = queues.get(call.queueId);
  const untilMs = call.endTime === null ? store.shownNow.value : Date.parse(call.endTime);
  const fromMs = startMs(call);
  const scale = new Scale(fromMs, Math.max(untilMs, fromMs + 1_000));
  const stateSpans = stateSpansOf(events, untilMs);
  const offers = offersOf(events, untilMs);
  const holds = holdsOf(events, untilMs, queue?.holdSeconds ?? 60);
  const flags = flagsOf(call, events, queue, untilMs);
  const nameOf = (agentId: string) => agents.get(agentId)?.name ?? agentId;
  const { panel } = texts;
  const described = stateSpans.map(({ state, ...span }) => `${texts.states[state]} ${lengthOf(span)}`);
  return (
    <section class="course" aria-label={panel.course} data-testid="course">
      <div class="lanes" role="img" aria-label={described.join(", ")}>
        <Lane name={panel.states}>
          {stateSpans.map(({ state, ...span }, index) => (
            <span
              key={span.fromMs}
              class="span"
              data-state={state}
              title={described[index]}
              style={scale.of(span)}
            />
          ))}
        </Lane>
        {offers.length === 0 ? null : (
          <Lane name={panel.offers}>
            {offers.map((offer) => (
              <span
                key={offer.fromMs}
                class="span"
                data-outcome={offer.outcome}
                title={`${nameOf(offer.agentId)}: ${panel.offerOutcome[offer.outcome]} ${lengthOf(offer)}`}
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
                class="span"
                data-state="on_hold"
                title={lengthOf(hold)}
                style={scale.of(hold)}
              />
            ))}
            {holds.map(({ fromMs: begunMs, exceededMs }) =>
              exceededMs === null ? null : (
                <span
                  key={begunMs}
                  class="limit"
                  data-testid="hold-limit"
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
                class="moment"
                data-flag={flag}
                data-void={isVoid}
                title={`${texts.flags[flag] ?? flag} ${clockTime(atMs)}${isVoid ? ` (${panel.void})` : ""}`}
                style={scale.at(atMs)}
              />
            ))}
          </Lane>
        )}
        <p class="axis">
          <span>{clockTime(fromMs)}</span>
          <span>{call.endTime === null ? panel.now : clockTime(untilMs)}</span>
        </p>
      </div>
      <Offers offers={offers} nameOf={nameOf} />
    </section>
  );
}

/** Moments as parts of the call's whole length. */
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
    <div class="lane">
      <span class="lane-name">{name}</span>
      <span class="lane-track">{children}</span>
    </div>
  );
}

interface OffersProps {
  offers: readonly OfferSpan[];
  nameOf: (agentId: string) => string;
}

/** What the bars show, in words: who was rung, for how long, and what came of it. */
function Offers({ offers, nameOf }: OffersProps) {
  if (offers.length === 0) return null;
  return (
    <ol class="offers" aria-label={texts.panel.offers} data-testid="offers">
      {offers.map((offer) => (
        <li key={offer.fromMs} data-agent-id={offer.agentId} data-outcome={offer.outcome}>
          <span class="offer-agent">{nameOf(offer.agentId)}</span>
          <span class="offer-outcome">{texts.panel.offerOutcome[offer.outcome]}</span>
          <span class="offer-length">{lengthOf(offer)}</span>
        </li>
      ))}
    </ol>
  );
}
