/** Moves the keyboard focus when the focused element disappears. */

let opener: Element | null = null;

/** Called when a call is opened. The focus returns to its opener when the call is closed. */
export function rememberOpener(): void {
  opener = document.activeElement;
}

export function focusContent(): void {
  (document.getElementById("calls") ?? document.getElementById("content"))?.focus();
}

/** The floor's list has a cursor of its own. In other views, the opener gets the focus. */
export function focusOpener(): void {
  const content = document.getElementById("content");
  const isInside = opener !== content && content?.contains(opener) === true;
  if (isInside && opener instanceof HTMLElement && document.getElementById("calls") === null) opener.focus();
  else focusContent();
}
