/** A card for each language: who waits, how long, who is free. A click shows its calls. */

import { clockDuration } from "../../model/durations";
import { languageName } from "../../model/filters";
import type { LanguageSummary } from "../../model/language-summary";
import { texts } from "../../texts";
import type { Store } from "../store";

export function Board({ store }: { store: Store }) {
  const chosen = store.filters.value.language;
  return (
    <section class="board" aria-label={texts.board.label}>
      {store.board.value.map((entry) => (
        <Card
          key={entry.language ?? ""}
          entry={entry}
          isPressed={entry.language !== null && entry.language === chosen}
          onClick={() => store.setFilters({ language: entry.language === chosen ? null : entry.language })}
        />
      ))}
    </section>
  );
}

interface CardProps {
  entry: LanguageSummary;
  isPressed: boolean;
  onClick: () => void;
}

function Card({ entry, isPressed, onClick }: CardProps) {
  const { language, waiting, breached, longestWaitMs, free, present } = entry;
  const isStuck = waiting > 0 && free === 0;
  const freeText =
    present === 0
      ? texts.board.noneSignedIn
      : free === 0
        ? texts.board.noneFree
        : texts.board.free(free, present);
  return (
    <button
      type="button"
      class="language-card"
      aria-pressed={isPressed}
      disabled={language === null}
      data-testid="language-card"
      data-language={language ?? ""}
      data-tone={breached > 0 ? "past" : waiting > 0 ? "near" : "calm"}
      onClick={onClick}
    >
      <span class="language-name" title={languageName(language) ?? texts.board.unknown}>
        {languageName(language) ?? texts.board.unknown}
      </span>
      <span class="language-waits" data-waiting={waiting > 0}>
        {waiting === 0 ? texts.board.noneWaiting : texts.board.waiting(waiting)}
        {longestWaitMs === null ? null : (
          <span class={breached > 0 ? "late" : ""} title={texts.tiles.longestWait}>
            <span class="hidden">{texts.tiles.longestWait} </span>
            {clockDuration(longestWaitMs)}
          </span>
        )}
      </span>
      <span class="language-free" data-free={free > 0} data-stuck={isStuck}>
        {freeText}
      </span>
    </button>
  );
}
