/** What stands where no row does: loading, unreachable, nothing there, nothing that matches. */

import { texts } from "../../texts";
import { Notice } from "../shell/Notice";
import type { Store } from "../store";
import { RemainingSteps } from "./FirstSteps";

export function ListNotice({ store }: { store: Store }) {
  const { connection, confirmedAt, errorMessage } = store.picture.value;
  const hidden = store.feed.calls.live.size;
  if (confirmedAt === null && connection === "offline") {
    return (
      <Notice
        title={texts.unreachable}
        help={texts.failedHelp}
        detail={errorMessage}
        tone="past"
        testId="unreachable"
      >
        <button type="button" class="primary" onClick={() => store.feed.retryNow()}>
          {texts.tryNow}
        </button>
      </Notice>
    );
  }
  if (confirmedAt === null) return <Loading />;
  if (hidden === 0 && store.startedEmpty.value && store.firstStepsPlan.value.steps.length > 0)
    return <RemainingSteps store={store} />;
  if (hidden === 0) return <Notice title={texts.empty} help={texts.emptyHelp} testId="empty" />;
  return (
    <Notice title={texts.noMatch} help={texts.noMatchHelp(hidden)} testId="no-match">
      <button type="button" class="primary" onClick={() => store.clearFilters()}>
        {texts.filters.clear}
      </button>
    </Notice>
  );
}

function Loading() {
  return (
    <div class="skeleton" role="status" aria-label={texts.loadingFloor} data-testid="loading">
      {Array.from({ length: 9 }, (_, index) => (
        <span key={index} class="skeleton-row" />
      ))}
    </div>
  );
}
