/** The calls behind a figure: what the address asks of the API, a page at a time. */

import { useEffect, useMemo } from "preact/hooks";
import type { Call } from "../../contracts";
import { clockTime, dayUnlessToday } from "../../model/durations";
import { agentIdOf, languageName, languageOf } from "../../model/filters";
import { texts } from "../../texts";
import { duration } from "../figures/figures";
import { Chip } from "../shell/Chip";
import { ReadAt } from "../shell/Loaded";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";
import { CallPages } from "./call-pages";

/** Parameters that are this page's own. */
const OWN = ["call", "limit"];

export function Calls({ store }: { store: Store }) {
  const asked = new URLSearchParams(store.router.query.value);
  for (const name of OWN) asked.delete(name);
  const query = asked.toString();
  const pages = useMemo(
    () => new CallPages(store.api, query, (halt) => store.feed.endSession(halt)),
    [store, query],
  );
  useEffect(() => () => pages.close(), [pages]);
  return (
    <>
      <section class="filters" aria-label={texts.filters.label}>
        <h2 class="view-title">{texts.calls.title}</h2>
        {[...asked].map(([name, value]) => (
          <Chip
            key={name}
            testId={`chip-${name}`}
            label={texts.calls.filters[name] ?? name}
            value={wordsOf(store, name, value)}
            onRemove={() => store.router.patch({ [name]: null })}
          />
        ))}
        <div class="shown">
          <span data-testid="shown-count">
            {pages.readAt.value === null
              ? ""
              : texts.calls.count(pages.calls.value.length, pages.hasMore.value)}
          </span>
          <ReadAt store={store} reading={pages} />
          <button type="button" class="quiet" onClick={() => void pages.again()}>
            {texts.calls.refresh}
          </button>
        </div>
      </section>
      <div class="scroll">
        <Found store={store} pages={pages} />
      </div>
    </>
  );
}

/** What a parameter of the API asks for, in words. */
function wordsOf(store: Store, name: string, value: string): string {
  const { queues, agents } = store.feed.directory;
  const agent = (id: string) => agents.get(id)?.name ?? id;
  const words: Record<string, (text: string) => string | null> = {
    queueId: (id) => queues.get(id)?.name ?? id,
    agentId: (id) => (id === "-" ? texts.calls.none : agent(id)),
    missedBy: agent,
    language: (tag) => (tag === "-" ? texts.calls.none : languageName(tag)),
    from: moment,
    to: moment,
    flag: (flag) => texts.flags[flag] ?? flag,
    noFlag: (flag) => texts.flags[flag] ?? flag,
  };
  return words[name]?.(value) ?? value;
}

const dateAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function moment(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : dateAndTime.format(at);
}

function Found({ store, pages }: { store: Store; pages: CallPages }) {
  const state = pages.state.value;
  const calls = pages.calls.value;
  if (state === "loading" && calls.length === 0) return <Notice title={texts.loading} testId="loading" />;
  if (state === "forbidden") {
    return <Notice title={texts.forbidden} help={texts.forbiddenHelp} tone="past" testId="forbidden" />;
  }
  if (state === "failed" && calls.length === 0) {
    return (
      <Notice title={texts.failed} detail={pages.errorMessage.value} tone="past" testId="failed">
        <button type="button" class="primary" onClick={() => void pages.more()}>
          {texts.tryNow}
        </button>
      </Notice>
    );
  }
  if (calls.length === 0)
    return <Notice title={texts.calls.empty} help={texts.calls.emptyHelp} testId="empty" />;
  const { columns } = texts.calls;
  return (
    <section class="block">
      <table class="table" aria-label={texts.calls.title} data-testid="calls-table">
        <thead>
          <tr>
            <th scope="col">{columns.start}</th>
            <th scope="col">{columns.call}</th>
            <th scope="col">{columns.queue}</th>
            <th scope="col" class="optional">
              {columns.language}
            </th>
            <th scope="col">{columns.agent}</th>
            <th scope="col" class="number">
              {columns.waited}
            </th>
            <th scope="col" class="number">
              {columns.talked}
            </th>
            <th scope="col" class="optional">
              {columns.end}
            </th>
            <th scope="col" class="optional">
              {columns.flags}
            </th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <Row key={call.id} store={store} call={call} />
          ))}
        </tbody>
      </table>
      {state === "failed" ? (
        <p class="stale" role="alert">
          {texts.failed}: {pages.errorMessage.value}
        </p>
      ) : null}
      {pages.hasMore.value ? (
        <button
          type="button"
          class="primary more"
          data-testid="more"
          disabled={state === "loading"}
          onClick={() => void pages.more()}
        >
          {texts.more}
        </button>
      ) : null}
    </section>
  );
}

function Row({ store, call }: { store: Store; call: Call }) {
  const { queues, agents } = store.feed.directory;
  const queue = queues.get(call.queueId);
  const agentId = agentIdOf(call);
  return (
    <tr data-testid="found-call" data-call-id={call.id} aria-selected={call.id === store.openId.value}>
      <td title={moment(call.startTime)}>
        {clockTime(Date.parse(call.startTime))}
        <span class="start-day">{dayUnlessToday(Date.parse(call.startTime), store.now.value)}</span>
      </td>
      <th scope="row">
        <button type="button" class="link mono" title={call.id} onClick={() => store.open(call.id)}>
          {call.id}
        </button>
      </th>
      <td>{queue?.name ?? call.queueId}</td>
      <td class="optional">{languageName(languageOf(call, queue)) ?? texts.nothing}</td>
      <td>{agentId === null ? texts.nothing : (agents.get(agentId)?.name ?? agentId)}</td>
      <td class="number">{duration(call.waitSeconds)}</td>
      <td class="number">{duration(call.durationSeconds)}</td>
      <td class="optional">
        {call.endReason === null ? texts.states[call.status] : texts.panel.reasons[call.endReason]}
      </td>
      <td class="optional">
        {call.flags.map((flag) => (
          <span key={flag} class="flag" data-flag={flag}>
            {texts.flags[flag] ?? flag}
          </span>
        ))}
      </td>
    </tr>
  );
}
