/** The filters that several views have in common. */

import type { Agent, Queue } from "../../contracts";
import { languageName, nameOf } from "../../model/filters";
import { texts } from "../../texts";
import { Choice } from "./Choice";

/** Adds the chosen value if it is unknown, so that the list shows it. */
function withChosen(known: readonly string[], chosen: string | null): string[] {
  return chosen === null || known.includes(chosen) ? [...known] : [...known, chosen];
}

interface ChosenProps {
  chosen: string | null;
  /** Gets an empty text for all. */
  onChoose: (value: string) => void;
}

interface QueueChoiceProps extends ChosenProps {
  queues: ReadonlyMap<string, Queue>;
}

export function QueueChoice({ queues, chosen, onChoose }: QueueChoiceProps) {
  const ids = withChosen([...queues.keys()], chosen);
  const options = ids.map((id) => [id, nameOf(queues, id)] as const);
  return (
    <Choice
      label={texts.columns.queue}
      testId="filter-queue"
      value={chosen ?? ""}
      options={[["", texts.filters.allQueues], ...options]}
      onChoose={onChoose}
    />
  );
}

interface LanguageChoiceProps extends ChosenProps {
  languages: readonly string[];
}

export function LanguageChoice({ languages, chosen, onChoose }: LanguageChoiceProps) {
  const options = withChosen(languages, chosen).map((tag) => [tag, languageName(tag) ?? tag] as const);
  return (
    <Choice
      label={texts.columns.language}
      testId="filter-language"
      value={chosen ?? ""}
      options={[["", texts.filters.allLanguages], ...options]}
      onChoose={onChoose}
    />
  );
}

interface AgentChoiceProps extends ChosenProps {
  agents: ReadonlyMap<string, Agent>;
}

export function AgentChoice({ agents, chosen, onChoose }: AgentChoiceProps) {
  const byName = [...agents.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ id }) => id);
  const options = withChosen(byName, chosen).map((id) => [id, nameOf(agents, id)] as const);
  return (
    <Choice
      label={texts.columns.agent}
      testId="filter-agent"
      value={chosen ?? ""}
      options={[["", texts.filters.anyAgent], ...options]}
      onChoose={onChoose}
    />
  );
}
