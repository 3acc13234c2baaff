/** Shown in place of the rows: loading, unreachable, no calls, or no matching calls. */

import type { Connection } from "../../feed/connection";
import type { FirstStepsPlan } from "../../model/first-steps";
import { texts } from "../../texts";
import * as controlStyles from "../shell/controls.module.css";
import { Notice } from "../shell/Notice";
import { RemainingSteps } from "./FirstSteps";
import * as styles from "./ListNotice.module.css";

interface ListNoticeProps {
  /** True once the calls have been read. */
  isConfirmed: boolean;
  connection: Connection;
  errorMessage: string | null;
  liveCount: number;
  /** The remaining first steps, or null if the page did not begin with them. */
  plan: FirstStepsPlan | null;
  hasAgents: boolean;
  api: string;
  onRetry: () => void;
  onClearFilters: () => void;
}

export function ListNotice(props: ListNoticeProps) {
  const { isConfirmed, connection, errorMessage, liveCount, plan, hasAgents, api } = props;
  if (!isConfirmed && connection === "offline") {
    return (
      <Notice
        title={texts.unreachable}
        help={texts.failedHelp}
        detail={errorMessage}
        tone="past"
        testId="unreachable"
      >
        <button type="button" class={controlStyles.primary} onClick={props.onRetry}>
          {texts.tryNow}
        </button>
      </Notice>
    );
  }
  if (!isConfirmed) return <Loading />;
  if (liveCount === 0 && plan !== null && plan.steps.length > 0)
    return <RemainingSteps plan={plan} hasAgents={hasAgents} api={api} />;
  if (liveCount === 0) return <Notice title={texts.empty} help={texts.emptyHelp} testId="empty" />;
  return (
    <Notice title={texts.noMatch} help={texts.noMatchHelp(liveCount)} testId="no-match">
      <button type="button" class={controlStyles.primary} onClick={props.onClearFilters}>
        {texts.filters.clear}
      </button>
    </Notice>
  );
}

function Loading() {
  return (
    <div class={styles.skeleton} role="status" aria-label={texts.loadingFloor} data-testid="loading">
      {Array.from({ length: 9 }, (_, index) => (
        <span key={index} class={styles.skeletonRow} />
      ))}
    </div>
  );
}
