/** Events that could not be applied and updates that could not be delivered. An administrator can retry them. */

import { useState } from "preact/hooks";
import type { DeadLetter, DeadLetterPage } from "../../contracts";
import { type Api, withQuery } from "../../feed/api";
import { roughAge } from "../../model/durations";
import { type Directory, nameOf } from "../../model/filters";
import { texts } from "../../texts";
import * as controlStyles from "../shell/controls.module.css";
import * as filterStyles from "../shell/filters.module.css";
import { LastUpdated, Loaded, type OpenResource, useResource } from "../shell/Loaded";
import * as loadedStyles from "../shell/Loaded.module.css";
import * as layoutStyles from "../shell/layout.module.css";
import { Notice } from "../shell/Notice";
import { RawJson } from "../shell/RawJson";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./DeadLetters.module.css";
import { type Result, retry, type Selection } from "./retry";

const EVERY_MS = 15_000;
const PAGE_SIZE = 50;

function pagePath(cursor: string | null): string {
  return withQuery("/api/dead-letters", { limit: `${PAGE_SIZE}`, cursor });
}

interface DeadLettersProps {
  api: Api;
  canRetry: boolean;
  directory: Directory;
  now: number;
  localNow: number;
  openResource: OpenResource;
  onOpen: (callId: string | null) => void;
}

export function DeadLetters(props: DeadLettersProps) {
  const { api, canRetry, directory, now, localNow, openResource, onOpen } = props;
  const { queues } = directory;
  const [cursor, setCursor] = useState<string | null>(null);
  const resource = useResource<DeadLetterPage>(openResource, pagePath(cursor), EVERY_MS);
  const [result, setResult] = useState<Result | null>(null);
  const [isBusy, setBusy] = useState(false);
  const retrySelection = async (selection: Selection) => {
    setBusy(true);
    setResult(await retry(api, selection));
    setBusy(false);
    await resource.refresh();
  };
  const page = resource.value.value;
  return (
    <>
      <section class={filterStyles.filters} aria-label={texts.views["dead-letters"]}>
        <p class={styles.lettersHelp}>{texts.deadLetters.help}</p>
        <div class={filterStyles.shown}>
          {canRetry ? (
            <button
              type="button"
              class={controlStyles.primary}
              disabled={isBusy || (page?.data.length ?? 0) === 0}
              onClick={() => void retrySelection({ all: true })}
            >
              {texts.deadLetters.retryAll}
            </button>
          ) : (
            <span>{texts.deadLetters.adminOnly}</span>
          )}
        </div>
      </section>
      <div class={layoutStyles.scroll}>
        {result === null ? null : <RetryResult result={result} />}
        <LastUpdated updatedAt={resource.updatedAt.value} state={resource.state.value} localNow={localNow} />
        <Loaded resource={resource} localNow={localNow}>
          {({ data }) =>
            data.length === 0 ? (
              <Notice title={texts.deadLetters.empty} help={texts.deadLetters.emptyHelp} testId="empty" />
            ) : (
              <ol>
                {data.map((letter) => (
                  <Letter
                    key={`${letter.kind} ${letter.id}`}
                    queue={letter.queueId === null ? null : nameOf(queues, letter.queueId)}
                    onRetry={canRetry ? () => void retrySelection({ ids: [letter.id] }) : null}
                    {...{ letter, now, isBusy, onOpen }}
                  />
                ))}
              </ol>
            )
          }
        </Loaded>
        <Pager cursor={cursor} next={page?.nextCursor ?? null} onTurn={setCursor} />
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
    <p class={styles.pager}>
      <button
        type="button"
        class={controlStyles.secondary}
        disabled={cursor === null}
        onClick={() => onTurn(null)}
      >
        {texts.deadLetters.newest}
      </button>
      <button
        type="button"
        class={controlStyles.secondary}
        disabled={next === null}
        onClick={() => onTurn(next)}
      >
        {texts.deadLetters.older}
      </button>
    </p>
  );
}

function RetryResult({ result: { applied, refused, errorMessage } }: { result: Result }) {
  const counts = [
    applied > 0 ? texts.deadLetters.retried(applied) : null,
    refused > 0 ? texts.deadLetters.stillFailing(refused) : null,
  ];
  return (
    <p class={loadedStyles.banner} role="status" data-failed={errorMessage !== null}>
      {errorMessage === null
        ? counts.filter((count) => count !== null).join(", ")
        : `${texts.deadLetters.retryFailed}: ${errorMessage}`}
    </p>
  );
}

interface LetterProps {
  letter: DeadLetter;
  queue: string | null;
  now: number;
  isBusy: boolean;
  /** Null if the token may not retry. */
  onRetry: (() => void) | null;
  onOpen: (callId: string | null) => void;
}

function Letter({ letter, queue, now, isBusy, onRetry, onOpen }: LetterProps) {
  const age = roughAge(Math.max(0, now - Date.parse(letter.failedAt)));
  return (
    <li class={styles.letter} data-testid="dead-letter" data-kind={letter.kind}>
      <div class={styles.letterHead}>
        <b>{texts.events[letter.type] ?? letter.type}</b>
        <span class={textStyles.tag}>{texts.deadLetters.kinds[letter.kind] ?? letter.kind}</span>
        <button
          type="button"
          class={`${controlStyles.link} ${textStyles.mono}`}
          onClick={() => onOpen(letter.callId)}
        >
          {letter.callId}
        </button>
        {queue === null ? null : <span>{queue}</span>}
        <time dateTime={letter.failedAt}>{texts.age.ago(age)}</time>
        <span>{texts.deadLetters.attempts(letter.attempts)}</span>
      </div>
      <p class={styles.letterReason}>{letter.reason}</p>
      <details>
        <summary>{texts.deadLetters.body}</summary>
        <RawJson value={letter.body} />
      </details>
      {onRetry === null ? null : (
        <button
          type="button"
          class={controlStyles.secondary}
          data-testid="redrive"
          disabled={isBusy}
          onClick={onRetry}
        >
          {texts.deadLetters.retry}
          <span class={textStyles.hidden}> {letter.id}</span>
        </button>
      )}
    </li>
  );
}
