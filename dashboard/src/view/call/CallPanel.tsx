/** One call: its present state, its timeline and its history. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call } from "../../contracts";
import { startMs, stateOf, totalMs, waitedMs } from "../../model/call-state";
import { clockDuration, clockTime, dayUnlessToday } from "../../model/durations";
import { agentIdOf, type Directory, languageName, languageOf, nameOf } from "../../model/filters";
import { texts } from "../../texts";
import * as controlStyles from "../shell/controls.module.css";
import { Flags } from "../shell/Flags";
import { focusOpener, rememberOpener } from "../shell/focus";
import { CloseIcon, StateIcon, VideoIcon } from "../shell/icons";
import { Notice } from "../shell/Notice";
import * as styles from "./CallPanel.module.css";
import { CallTimeline } from "./CallTimeline";
import type { CallHistory } from "./call-history";
import { History } from "./History";

interface CallPanelProps {
  history: CallHistory;
  directory: Directory;
  now: number;
  onClose: () => void;
}

export function CallPanel({ history, directory, now, onClose }: CallPanelProps) {
  const { queues, agents } = directory;
  const call = history.call.value;
  const state = history.state.value;
  const events = history.events.value;
  const closeButton = useRef<HTMLButtonElement>(null);
  // In a layout effect, so that a key pressed right after the panel appears finds the opener remembered.
  useLayoutEffect(() => {
    rememberOpener();
    // On narrow screens the panel covers the list, so the list cannot keep the focus.
    if (matchMedia("(max-width: 1080px)").matches) closeButton.current?.focus();
  }, []);
  const close = () => {
    onClose();
    focusOpener();
  };
  return (
    <aside
      class={styles.panel}
      aria-label={texts.panel.label(history.callId)}
      data-testid="call-panel"
      data-state={state}
    >
      <header class={styles.panelHead}>
        <h2>{history.callId}</h2>
        <button
          type="button"
          class={`${controlStyles.quiet} ${controlStyles.icon}`}
          aria-label={texts.panel.close}
          ref={closeButton}
          onClick={close}
        >
          <CloseIcon />
        </button>
      </header>
      <div class={styles.panelBody}>
        {call === null ? null : (
          <>
            <Summary {...{ call, directory, now }} />
            <CallTimeline {...{ call, events, agents, now }} queue={queues.get(call.queueId)} />
          </>
        )}
        {state === "loading" && call === null ? <Notice title={texts.panel.loading} /> : null}
        {state === "failed" ? (
          <Notice title={texts.panel.failed} tone="past">
            <button type="button" class={controlStyles.primary} onClick={() => void history.read()}>
              {texts.tryNow}
            </button>
          </Notice>
        ) : null}
        {state === "gone" ? (
          <Notice title={texts.panel.gone} help={texts.panel.goneHelp} tone="past" />
        ) : null}
        {state === "ready" ? <History events={events} agents={agents} /> : null}
      </div>
    </aside>
  );
}

interface SummaryProps {
  call: Call;
  directory: Directory;
  now: number;
}

function Summary({ call, directory: { queues, agents }, now }: SummaryProps) {
  const state = stateOf(call);
  const queue = queues.get(call.queueId);
  const waited = waitedMs(call, now);
  const { columns } = texts;
  const names = texts.panel.facts;
  const agentId = agentIdOf(call);
  const agent = agentId === null ? texts.nothing : nameOf(agents, agentId);
  return (
    <section class={styles.summary}>
      <p class={styles.summaryState}>
        <StateIcon state={state} />
        {texts.states[state]}
        {call.type === "video" ? <VideoIcon /> : null}
        <Flags flags={call.flags} />
      </p>
      <dl>
        <Fact name={columns.queue}>{nameOf(queues, call.queueId)}</Fact>
        <Fact name={columns.language}>{languageName(languageOf(call, queue)) ?? texts.nothing}</Fact>
        <Fact name={state === "ringing" ? names.offeredTo : columns.agent}>{agent}</Fact>
        <Fact name={names.started}>
          {clockTime(startMs(call))} {dayUnlessToday(startMs(call), now)}
        </Fact>
        <Fact name={columns.waited}>{waited === null ? texts.nothing : clockDuration(waited)}</Fact>
        <Fact name={names.held}>{clockDuration(call.holdSeconds * 1_000)}</Fact>
        <Fact name={columns.total}>{clockDuration(totalMs(call, now))}</Fact>
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
    <div class={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
