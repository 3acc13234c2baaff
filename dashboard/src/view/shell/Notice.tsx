/** A message in the middle of an empty area. */

import type { ComponentChildren } from "preact";
import * as styles from "./Notice.module.css";

interface NoticeProps {
  title: string;
  help?: string;
  detail?: string | null;
  tone?: "calm" | "past";
  testId?: string;
  children?: ComponentChildren;
}

export function Notice({ title, help, detail, tone = "calm", testId = "notice", children }: NoticeProps) {
  return (
    <div
      class={styles.notice}
      data-tone={tone}
      data-testid={testId}
      role={tone === "past" ? "alert" : "status"}
    >
      <p class={styles.noticeTitle}>{title}</p>
      {help === undefined ? null : <p class={styles.noticeHelp}>{help}</p>}
      {detail == null ? null : <p class={styles.noticeDetail}>{detail}</p>}
      {children}
    </div>
  );
}
