/** An adapter of TanStack Virtual for Preact. */

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type PartialKeys,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

type Options = PartialKeys<
  VirtualizerOptions<HTMLElement, HTMLElement>,
  "observeElementRect" | "observeElementOffset" | "scrollToFn"
>;

export function useVirtualRows(options: Options): Virtualizer<HTMLElement, HTMLElement> {
  const [, redraw] = useState(0);
  const whole: VirtualizerOptions<HTMLElement, HTMLElement> = {
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    ...options,
    onChange: () => redraw((count) => count + 1),
  };
  const kept = useRef<Virtualizer<HTMLElement, HTMLElement> | null>(null);
  kept.current ??= new Virtualizer(whole);
  const rows = kept.current;
  rows.setOptions(whole);
  useLayoutEffect(() => rows._didMount(), [rows]);
  useLayoutEffect(() => rows._willUpdate());
  return rows;
}
