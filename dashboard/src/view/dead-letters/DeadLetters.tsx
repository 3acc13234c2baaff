/** What was given up, why, and for an administrator another attempt. */

import { useState } from "preact/hooks";
import type { DeadLetter, DeadLetterPage } from "../../contracts";
import { roughAge } from "../../model/durations";
import type { Resource } from "../../resource";
import { texts } from "../../texts";
import { Read, ReadAt, useResource } from "../shell/Loaded";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";
import { type Outcome, redrive, type Wanted } from "./retry";

const EVERY_MS = 15_000;
const PAGE = 50;

function pagePath(cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor !== null && { cursor }) });
  return `/api/dead-letters?${query}`;
}

export function Letters({ store }: { store: Store }) {
  const [cursor, setCursor] = useState<string | null>(null);
  const reading = useResource<DeadLetterPage>(store, pagePath(cursor), EVERY_MS);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [isBusy, setBusy] = useState(false);
  const again = async (wanted: Wanted) => {
    setBusy(true);
    setOutcome(await redrive(store.api, wanted));
    setBusy(false);
    await reading.again();
  };
  const mayRedrive = store.claims.role === "admin";
  return (
    <>
      <section class="filters" aria-label={texts.letters.label}>
        <p class="letters-help">{texts.letters.help}</p>
        <div class="shown">
          {mayRedrive ? (
            <button
              type="button"
              class="primary"
              data-testid="redrive-all"
              disabled={isBusy || (reading.value.value?.data.length ?? 0) === 0}
              onClick={() => void again({ all: true })}
            >
              {texts.letters.redriveAll}
            </button>
          ) : (
            <span>{texts.letters.adminOnly}</span>
          )}
        </div>
      </section>
      <div class="scroll">
        {outcome === null ? null : <Told outcome={outcome} />}
        <ReadAt store={store} reading={reading} />
        <List
          {...{ store, reading, isBusy }}
          onAgain={mayRedrive ? (id) => void again({ ids: [id] }) : null}
        />
        <Pager cursor={cursor} next={reading.value.value?.nextCursor ?? null} onTurn={setCursor} />
      </div>
    </>
  );
}

interface PagerProps {
  cursor: string | null;
  next: string | null;
  onTurn: (cursor: string | null) => void;
}

function Pager({ cursor, next, onTurn }: PagerProps) {
  if (cursor === null && next === null) return null;
  return (
    <p class="pager">
      <button type="button" class="secondary" disabled={cursor === null} onClick={() => onTurn(null)}>
        {texts.letters.newest}
      </button>
      <button
        type="button"
        class="secondary"
        data-testid="older"
        disabled={next === null}
        onClick={() => onTurn(next)}
      >
        {texts.letters.older}
      </button>
    </p>
  );
}

function Told({ outcome }: { outcome: Outcome }) {
  const text =
    outcome.errorMessage ??
    [
      outcome.applied > 0 ? texts.letters.redriven(outcome.applied) : null,
      outcome.refused > 0 ? texts.letters.still(outcome.refused) : null,
    ]
      .filter((part) => part !== null)
      .join(", ");
  return (
    <p class="told" role="status" data-testid="redrive-outcome" data-failed={outcome.errorMessage !== null}>
      {outcome.errorMessage === null ? text : `${texts.letters.redriveFailed}: ${text}`}
    </p>
  );
}

interface ListProps {
  store: Store;
  reading: Resource<DeadLetterPage>;
  isBusy: boolean;
  onAgain: ((id: string) => void) | null;
}

function List({ store, reading, isBusy, onAgain }: ListProps) {
  return (
    <Read store={store} reading={reading}>
      {({ data }) =>
        data.length === 0 ? (
          <Notice title={texts.letters.empty} help={texts.letters.emptyHelp} testId="empty" />
        ) : (
          <ol class="letters">
            {data.map((letter) => (
              <Letter key={`${letter.kind} ${letter.id}`} {...{ store, letter, isBusy, onAgain }} />
            ))}
          </ol>
        )
      }
    </Read>
  );
}

interface LetterProps {
  store: Store;
  letter: DeadLetter;
  isBusy: boolean;
  onAgain: ((id: string) => void) | null;
}

function Letter({ store, letter, isBusy, onAgain }: LetterProps) {
  const queue =
    letter.queueId === null
      ? null
      : (store.feed.directory.queues.get(letter.queueId)?.name ?? letter.queueId);
  const age = roughAge(Math.max(0, store.shownNow.value - Date.parse(letter.failedAt)));
  return (
    <li class="letter" data-testid="letter" data-letter-id={letter.id} data-kind={letter.kind}>
      <div class="letter-head">
        <b>{texts.events[letter.type] ?? letter.type}</b>
        <span class="tag">{texts.letters.kinds[letter.kind] ?? letter.kind}</span>
        <button type="button" class="link mono" onClick={() => store.open(letter.callId)}>
          {letter.callId}
        </button>
        {queue === null ? null : <span>{queue}</span>}
        <time dateTime={letter.failedAt}>{texts.age.ago(age)}</time>
        <span>{texts.letters.attempts(letter.attempts)}</span>
      </div>
      <p class="letter-reason">{letter.reason}</p>
      <details>
        <summary>{texts.letters.body}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, by keys too */}
        <pre class="raw" tabIndex={0}>
          {JSON.stringify(letter.body, null, 2)}
        </pre>
      </details>
      {onAgain === null ? null : (
        <button
          type="button"
          class="secondary"
          data-testid="redrive"
          disabled={isBusy}
          onClick={() => onAgain(letter.id)}
        >
          {texts.letters.redrive}
          <span class="hidden"> {letter.id}</span>
        </button>
      )}
    </li>
  );
}
