import {
  type Filters,
  FLAGS,
  GROUPINGS,
  hidesCalls,
  isJustThis,
  LIVE_STATES,
  type LiveState,
  languageName,
  SORTS,
} from "../../model/filters";
import { texts } from "../../texts";
import { Chip } from "../shell/Chip";
import { Choice } from "../shell/Choice";
import { AgentChoice, QueueChoice } from "../shell/CommonFilters";
import { StateIcon } from "../shell/icons";
import { Search } from "../shell/Search";
import type { Store } from "../store";

export function FilterBar({ store }: { store: Store }) {
  const filters = store.filters.value;
  const set = (change: Partial<Filters>) => store.setFilters(change);
  return (
    <section class="filters" aria-label={texts.filters.label}>
      <Search
        label={texts.filters.text}
        value={filters.text}
        onText={(text) => store.setFilters({ text }, { keepsHistory: false })}
      />
      <StateFilter filters={filters} set={set} />
      <QueueChoice store={store} />
      <AgentChoice store={store} />
      <Choice
        label={texts.filters.flag}
        testId="filter-flag"
        value={filters.flag ?? ""}
        options={[
          ["", texts.filters.anyFlag],
          ...FLAGS.map((flag) => [flag, texts.flags[flag] ?? flag] as const),
        ]}
        onChoose={(value) => set({ flag: FLAGS.find((flag) => flag === value) ?? null })}
      />
      <Choice
        label={texts.filters.group}
        testId="group"
        value={filters.group ?? ""}
        options={[
          ["", texts.filters.noGroup],
          ...GROUPINGS.map((name) => [name, texts.groupings[name]] as const),
        ]}
        onChoose={(value) => set({ group: GROUPINGS.find((name) => name === value) ?? null })}
      />
      <Choice
        label={texts.filters.sort}
        testId="sort"
        value={filters.sort}
        options={SORTS.map((sort) => [sort, texts.sorts[sort]] as const)}
        onChoose={(value) => set({ sort: SORTS.find((sort) => sort === value) ?? "urgency" })}
      />
      <Shown store={store} />
    </section>
  );
}

interface StateFilterProps {
  filters: Filters;
  set: (change: Partial<Filters>) => void;
}

function StateFilter({ filters, set }: StateFilterProps) {
  const toggle = (state: LiveState) => {
    const rest = filters.states.filter((chosen) => chosen !== state);
    const states = rest.length < filters.states.length ? rest : [...rest, state];
    set({ states: LIVE_STATES.filter((known) => states.includes(known)) });
  };
  return (
    <fieldset class="segments">
      <legend class="hidden">{texts.filters.state}</legend>
      {LIVE_STATES.map((state) => (
        <button
          key={state}
          type="button"
          aria-pressed={filters.states.includes(state)}
          title={texts.states[state]}
          data-testid={`filter-state-${state}`}
          onClick={() => toggle(state)}
        >
          <StateIcon state={state} />
          <span class="segment-name">{texts.states[state]}</span>
        </button>
      ))}
    </fieldset>
  );
}

/** What the address asks for and nothing else on the page shows: a language without a card, broken promises. */
function Unshown({ store }: { store: Store }) {
  const filters = store.filters.value;
  const { language } = filters;
  const hasCard = store.board.value.some((entry) => entry.language === language);
  return (
    <>
      {language === null || hasCard ? null : (
        <Chip
          testId="chip-language"
          label={texts.filters.language}
          value={languageName(language) ?? language}
          onRemove={() => store.setFilters({ language: null })}
        />
      )}
      {filters.breached && !isJustThis(filters, { breached: true }) ? (
        <Chip
          testId="chip-breached"
          label={texts.filters.breached}
          onRemove={() => store.setFilters({ breached: false })}
        />
      ) : null}
    </>
  );
}

function Shown({ store }: { store: Store }) {
  store.revision.value;
  const total = store.feed.calls.live.size;
  return (
    <div class="shown">
      <Unshown store={store} />
      <button
        type="button"
        class="quiet clear"
        aria-label={texts.filters.clear}
        disabled={!hidesCalls(store.filters.value)}
        data-testid="clear-filters"
        onClick={() => store.clearFilters()}
      >
        {texts.filters.clearShort}
      </button>
      <span data-testid="shown-count">
        {store.picture.value.confirmedAt === null ? "" : texts.filters.shown(store.calls.value.length, total)}
      </span>
    </div>
  );
}
