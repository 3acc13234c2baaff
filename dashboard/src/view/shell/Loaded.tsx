/** What a view reads over REST: its content, its age, and its errors. */

import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { roughAge } from "../../model/durations";
import type { Resource, ResourceState } from "../../resource";
import { texts } from "../../texts";
import * as controlStyles from "./controls.module.css";
import * as styles from "./Loaded.module.css";
import { Notice } from "./Notice";

export type OpenResource = <T>(path: string, everyMs: number | null) => Resource<T>;

/** Reads a path while the component is shown. */
export function useResource<T>(
  openResource: OpenResource,
  path: string,
  everyMs: number | null,
): Resource<T> {
  const resource = useMemo(() => openResource<T>(path, everyMs), [openResource, path, everyMs]);
  useEffect(() => () => resource.close(), [resource]);
  return resource;
}

interface LoadedProps<T> {
  resource: Resource<T>;
  localNow: number;
  children: (value: T) => ComponentChildren;
}

/** The content of a resource, or why there is none. Content that could not be refreshed shows its age. */
export function Loaded<T>({ resource, localNow, children }: LoadedProps<T>) {
  const value = resource.value.value;
  const state = resource.state.value;
  const retry = () => void resource.refresh();
  if (state === "forbidden") return <Forbidden />;
  if (value !== null) {
    const isStale = !isFresh(state);
    const ageMs = localNow - (resource.updatedAt.value ?? 0);
    return (
      <div class={styles.loaded} data-stale={isStale}>
        {isStale ? <RefreshFailed ageMs={ageMs} onRetry={retry} /> : null}
        {children(value)}
      </div>
    );
  }
  if (state === "loading") return <Notice title={texts.loading} testId="loading" />;
  const help = state === "refused" ? texts.refusedHelp : texts.failedHelp;
  return <LoadFailed help={help} detail={resource.errorMessage.value} onRetry={retry} />;
}

export function Forbidden() {
  return <Notice title={texts.forbidden} help={texts.forbiddenHelp} tone="past" testId="forbidden" />;
}

interface LoadFailedProps {
  help?: string;
  detail: string | null;
  onRetry: () => void;
}

export function LoadFailed({ help, detail, onRetry }: LoadFailedProps) {
  return (
    <Notice
      title={texts.failed}
      {...(help !== undefined && { help })}
      detail={detail}
      tone="past"
      testId="failed"
    >
      <button type="button" class={controlStyles.primary} onClick={onRetry}>
        {texts.tryNow}
      </button>
    </Notice>
  );
}

interface LastUpdatedProps {
  updatedAt: number | null;
  state: ResourceState;
  localNow: number;
}

/** The age of content that the feed does not keep up to date. */
export function LastUpdated({ updatedAt, state, localNow }: LastUpdatedProps) {
  if (updatedAt === null || !isFresh(state)) return null;
  return (
    <p class={styles.lastUpdated} data-testid="last-updated">
      {texts.updated(roughAge(Math.max(0, localNow - updatedAt)))}
    </p>
  );
}

function isFresh(state: ResourceState): boolean {
  return state === "ready" || state === "loading";
}

function RefreshFailed({ ageMs, onRetry }: { ageMs: number; onRetry: () => void }) {
  return (
    <p class={styles.banner} role="alert" data-testid="stale">
      {texts.stale(roughAge(ageMs))}
      <button type="button" class={controlStyles.quiet} onClick={onRetry}>
        {texts.tryNow}
      </button>
    </p>
  );
}
