/** Where the keyboard stands, when what it stood in goes away. */

let opener: Element | null = null;

/** Called as a call opens: what opened it is where the keyboard goes on when it closes. */
export function rememberOpener(): void {
  opener = document.activeElement;
}

export function focusContent(): void {
  (document.getElementById("calls") ?? document.getElementById("content"))?.focus();
}

/** The floor's list keeps its own place; elsewhere a long list would begin at its top again. */
export function focusOpener(): void {
  const content = document.getElementById("content");
  const isInside = opener !== content && content?.contains(opener) === true;
  if (isInside && opener instanceof HTMLElement && document.getElementById("calls") === null) opener.focus();
  else focusContent();
}
