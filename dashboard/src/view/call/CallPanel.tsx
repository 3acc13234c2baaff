/** One call: what it is now, and how it came to that. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call } from "../../contracts";
import { startMs, stateOf, totalMs, waitedMs } from "../../model/call-state";
import { clockDuration, clockTime, dayUnlessToday } from "../../model/durations";
import { languageName, languageOf } from "../../model/filters";
import { texts } from "../../texts";
import { focusOpener, rememberOpener } from "../shell/focus";
import { CloseIcon, StateIcon, VideoIcon } from "../shell/icons";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";
import { Course } from "./CallTimeline";
import type { CallHistory } from "./call-history";
import { Timeline } from "./History";

interface CallPanelProps {
  store: Store;
  history: CallHistory;
}

export function CallPanel({ store, history }: CallPanelProps) {
  const call = history.call.value;
  const state = history.state.value;
  const closeButton = useRef<HTMLButtonElement>(null);
  // Before it is painted: who is quick closes what is there to be seen.
  useLayoutEffect(() => {
    rememberOpener();
    // Where the panel covers the list, the list cannot keep the focus.
    if (matchMedia("(max-width: 1080px)").matches) closeButton.current?.focus();
  }, []);
  const close = () => {
    store.open(null);
    focusOpener();
  };
  return (
    <aside
      class="panel"
      aria-label={texts.panel.label(history.callId)}
      data-testid="call-panel"
      data-state={state}
    >
      <header class="panel-head">
        <h2>{history.callId}</h2>
        <button
          type="button"
          class="quiet icon"
          aria-label={texts.panel.close}
          ref={closeButton}
          onClick={close}
        >
          <CloseIcon />
        </button>
      </header>
      <div class="panel-body">
        {call === null ? null : <Summary call={call} store={store} />}
        {call === null ? null : <Course store={store} call={call} events={history.events.value} />}
        {state === "loading" && call === null ? <Notice title={texts.panel.loading} /> : null}
        {state === "failed" ? <Failed history={history} /> : null}
        {state === "gone" ? (
          <Notice title={texts.panel.gone} help={texts.panel.goneHelp} tone="past" />
        ) : null}
        {state === "ready" ? (
          <Timeline events={history.events.value} agents={store.feed.directory.agents} />
        ) : null}
      </div>
    </aside>
  );
}

function Failed({ history }: { history: CallHistory }) {
  return (
    <Notice title={texts.panel.failed} tone="past">
      <button type="button" class="primary" onClick={() => void history.read()}>
        {texts.tryNow}
      </button>
    </Notice>
  );
}

function Summary({ call, store }: { call: Call; store: Store }) {
  const now = store.shownNow.value;
  const { queues, agents } = store.feed.directory;
  const state = stateOf(call);
  const queue = queues.get(call.queueId);
  const waited = waitedMs(call, now);
  const names = texts.panel.facts;
  const agentId = call.agentId ?? call.offer?.agentId ?? null;
  const agent = agentId === null ? texts.nothing : (agents.get(agentId)?.name ?? agentId);
  return (
    <section class="summary">
      <p class="summary-state" data-testid="panel-state">
        <StateIcon state={state} />
        {texts.states[state]}
        {call.type === "video" ? <VideoIcon /> : null}
        {call.flags.map((flag) => (
          <span key={flag} class="flag" data-flag={flag}>
            {texts.flags[flag] ?? flag}
          </span>
        ))}
      </p>
      <dl>
        <Fact name={names.queue}>{queue?.name ?? call.queueId}</Fact>
        <Fact name={names.language}>{languageName(languageOf(call, queue)) ?? texts.nothing}</Fact>
        <Fact name={state === "ringing" ? names.offeredTo : names.agent}>{agent}</Fact>
        <Fact name={names.started}>
          {clockTime(startMs(call))} {dayUnlessToday(startMs(call), now)}
        </Fact>
        <Fact name={names.waited}>{waited === null ? texts.nothing : clockDuration(waited)}</Fact>
        <Fact name={names.held}>{clockDuration(call.holdSeconds * 1_000)}</Fact>
        <Fact name={names.total}>{clockDuration(totalMs(call, now))}</Fact>
        {call.durationSeconds === null ? null : (
          <Fact name={names.duration}>{clockDuration(call.durationSeconds * 1_000)}</Fact>
        )}
        {call.endReason === null ? null : (
          <Fact name={names.reason}>{texts.panel.reasons[call.endReason]}</Fact>
        )}
      </dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
