/** Icons as SVG elements, so that the page loads no font and no image. */

import type { ComponentChildren } from "preact";
import type { ShownState } from "../../event-effects";
import { texts } from "../../texts";
import * as styles from "./icons.module.css";

export function Wordmark() {
  return (
    <p class={styles.wordmark}>
      <svg class={styles.mark} viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="5.5" cy="5.5" r="2.5" />
        <circle cx="14.5" cy="14.5" r="2.5" />
        <path d="M8 5.5h2.5a4 4 0 0 1 4 4V12" />
      </svg>
      {texts.product}
    </p>
  );
}

/** Each state has its own shape, for users who do not see the colours. */
export function StateIcon({ state }: { state: ShownState }) {
  return (
    <svg class={styles.stateIcon} viewBox="0 0 14 14" aria-hidden="true" data-state={state}>
      {SHAPES[state]()}
    </svg>
  );
}

/** Functions, because a shared element would keep every document that it was drawn in alive. */
const SHAPES = {
  waiting: () => <circle cx="7" cy="7" r="4" class={styles.outline} />,
  ringing: () => (
    <>
      <circle cx="7" cy="7" r="2.2" class={styles.solid} />
      <circle cx="7" cy="7" r="5" class={`${styles.outline} ${styles.ring}`} />
    </>
  ),
  active: () => <circle cx="7" cy="7" r="4.5" class={styles.solid} />,
  on_hold: () => (
    <>
      <rect x="3" y="2.8" width="2.8" height="8.4" rx="1" class={styles.solid} />
      <rect x="8.2" y="2.8" width="2.8" height="8.4" rx="1" class={styles.solid} />
    </>
  ),
  ended: () => <path d="M3.5 7h7" class={styles.outline} />,
};

interface IconProps {
  name: string | undefined;
  children: ComponentChildren;
}

function Icon({ name, children }: IconProps) {
  return (
    <svg class={name} viewBox="0 0 14 14" aria-hidden="true">
      {children}
    </svg>
  );
}

export function VideoIcon() {
  return (
    <Icon name={styles.videoIcon}>
      <rect x="1.2" y="3.6" width="7.8" height="6.8" rx="1.6" />
      <path d="M9 6.4l3.6-2v5.2L9 7.6" />
    </Icon>
  );
}

export function CloseIcon() {
  return (
    <Icon name={styles.closeIcon}>
      <path d="M3 3l8 8M11 3l-8 8" />
    </Icon>
  );
}

export function SearchIcon() {
  return (
    <Icon name={styles.searchIcon}>
      <circle cx="6" cy="6" r="3.8" />
      <path d="M9 9l3.4 3.4" />
    </Icon>
  );
}
