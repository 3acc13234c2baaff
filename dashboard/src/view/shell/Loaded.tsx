/** Reads for a view as long as it is shown, and says what stands where nothing was read. */

import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { roughAge } from "../../model/durations";
import type { Resource, ResourceState } from "../../resource";
import { texts } from "../../texts";
import type { Store } from "../store";
import { Notice } from "./Notice";

export function useResource<T>(store: Store, path: string, everyMs: number | null): Resource<T> {
  const reading = useMemo(() => store.reading<T>(path, everyMs), [store, path, everyMs]);
  useEffect(() => () => reading.close(), [reading]);
  return reading;
}

interface ReadProps<T> {
  store: Store;
  reading: Resource<T>;
  children: (value: T) => ComponentChildren;
}

/** What was read, or why it is not there; what could not be read again says its age. */
export function Read<T>({ store, reading, children }: ReadProps<T>) {
  const value = reading.value.value;
  const state = reading.state.value;
  const isOld = state === "failed" || state === "refused";
  if (state === "forbidden") {
    return <Notice title={texts.forbidden} help={texts.forbiddenHelp} tone="past" testId="forbidden" />;
  }
  if (value !== null) {
    return (
      <div class="read" data-stale={isOld}>
        {isOld ? <Stale store={store} reading={reading} /> : null}
        {children(value)}
      </div>
    );
  }
  if (state === "loading") return <Notice title={texts.loading} testId="loading" />;
  return (
    <Notice
      title={texts.failed}
      help={state === "refused" ? texts.refusedHelp : texts.failedHelp}
      detail={reading.errorMessage.value}
      tone="past"
      testId="failed"
    >
      <button type="button" class="primary" onClick={() => void reading.again()}>
        {texts.tryNow}
      </button>
    </Notice>
  );
}

interface ReadAtProps {
  store: Store;
  reading: { readAt: ReadonlySignal<number | null>; state: ReadonlySignal<ResourceState> };
}

/** How old a reading is that is not kept up by the feed. */
export function ReadAt({ store, reading }: ReadAtProps) {
  store.now.value; // steps with the clock
  const readAt = reading.readAt.value;
  if (readAt === null || !isGood(reading.state.value)) return null;
  return (
    <p class="read-at" data-testid="read-at">
      {texts.updated(roughAge(Math.max(0, Date.now() - readAt)))}
    </p>
  );
}

function isGood(state: ResourceState): boolean {
  return state === "ready" || state === "loading";
}

function Stale<T>({ store, reading }: { store: Store; reading: Resource<T> }) {
  store.now.value; // steps with the clock
  return (
    <p class="stale" role="alert" data-testid="stale">
      {texts.stale(roughAge(Date.now() - (reading.readAt.value ?? 0)))}
      <button type="button" class="quiet" onClick={() => void reading.again()}>
        {texts.tryNow}
      </button>
    </p>
  );
}
