/** One thing said in the middle of an otherwise empty place. */

import type { ComponentChildren } from "preact";

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
    <div class="notice" data-tone={tone} data-testid={testId} role={tone === "past" ? "alert" : "status"}>
      <p class="notice-title">{title}</p>
      {help === undefined ? null : <p class="notice-help">{help}</p>}
      {detail == null ? null : <p class="notice-detail">{detail}</p>}
      {children}
    </div>
  );
}
