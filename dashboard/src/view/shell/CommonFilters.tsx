/** The filters that several views have in common, each kept in the address. */

import { languageName } from "../../model/filters";
import { texts } from "../../texts";
import type { Store } from "../store";
import { Choice } from "./Choice";

/** A value that the address names and nobody knows stays in the list: it must not look as if nothing were chosen. */
function withChosen(known: readonly string[], chosen: string | null): string[] {
  return chosen === null || known.includes(chosen) ? [...known] : [...known, chosen];
}

export function QueueChoice({ store }: { store: Store }) {
  store.revision.value;
  const chosen = store.router.get("queue");
  const { queues } = store.feed.directory;
  const options = withChosen([...queues.keys()], chosen).map(
    (id) => [id, queues.get(id)?.name ?? id] as const,
  );
  return (
    <Choice
      label={texts.filters.queue}
      testId="filter-queue"
      value={chosen ?? ""}
      options={[["", texts.filters.allQueues], ...options]}
      onChoose={(queue) => store.router.patch({ queue })}
    />
  );
}

export function LanguageChoice({ store }: { store: Store }) {
  const chosen = store.router.get("language");
  const options = withChosen(store.languages.value, chosen).map(
    (tag) => [tag, languageName(tag) ?? tag] as const,
  );
  return (
    <Choice
      label={texts.filters.language}
      testId="filter-language"
      value={chosen ?? ""}
      options={[["", texts.filters.allLanguages], ...options]}
      onChoose={(language) => store.router.patch({ language })}
    />
  );
}

export function AgentChoice({ store }: { store: Store }) {
  store.revision.value;
  const chosen = store.router.get("agent");
  const { agents } = store.feed.directory;
  const byName = [...agents.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ id }) => id);
  const options = withChosen(byName, chosen).map((id) => [id, agents.get(id)?.name ?? id] as const);
  return (
    <Choice
      label={texts.filters.agent}
      testId="filter-agent"
      value={chosen ?? ""}
      options={[["", texts.filters.anyAgent], ...options]}
      onChoose={(agent) => store.router.patch({ agent })}
    />
  );
}
