/** A card for each language with its waiting calls and free agents. A click shows its calls. */

import { clockDuration } from "../../model/durations";
import { languageName } from "../../model/filters";
import type { LanguageSummary } from "../../model/language-summary";
import { texts } from "../../texts";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./LanguageCards.module.css";

interface LanguageCardsProps {
  summaries: readonly LanguageSummary[];
  chosen: string | null;
  onChoose: (language: string | null) => void;
}

export function LanguageCards({ summaries, chosen, onChoose }: LanguageCardsProps) {
  return (
    <section class={styles.board} aria-label={texts.languageCards.label}>
      {summaries.map((summary) => (
        <Card
          key={summary.language ?? ""}
          summary={summary}
          isPressed={summary.language !== null && summary.language === chosen}
          onClick={() => onChoose(summary.language === chosen ? null : summary.language)}
        />
      ))}
    </section>
  );
}

interface CardProps {
  summary: LanguageSummary;
  isPressed: boolean;
  onClick: () => void;
}

function Card({ summary, isPressed, onClick }: CardProps) {
  const { language, waiting, overTarget, longestWaitMs, free, present } = summary;
  const name = languageName(language) ?? texts.languageCards.unknown;
  return (
    <button
      type="button"
      class={styles.languageCard}
      aria-pressed={isPressed}
      disabled={language === null}
      data-testid="language-card"
      data-language={language ?? ""}
      data-tone={overTarget > 0 ? "past" : waiting > 0 ? "near" : "calm"}
      onClick={onClick}
    >
      <span class={styles.languageName} title={name}>
        {name}
      </span>
      <span class={styles.languageWaits} data-waiting={waiting > 0}>
        {waiting === 0 ? texts.languageCards.noneWaiting : texts.languageCards.waiting(waiting)}
        {longestWaitMs === null ? null : (
          <span data-late={overTarget > 0} title={texts.tiles.longestWait}>
            <span class={textStyles.hidden}>{texts.tiles.longestWait} </span>
            {clockDuration(longestWaitMs)}
          </span>
        )}
      </span>
      <span class={styles.languageFree} data-free={free > 0} data-stuck={waiting > 0 && free === 0}>
        {freeText(free, present)}
      </span>
    </button>
  );
}

function freeText(free: number, present: number): string {
  if (present === 0) return texts.languageCards.noneSignedIn;
  return free === 0 ? texts.languageCards.noneFree : texts.languageCards.free(free, present);
}
