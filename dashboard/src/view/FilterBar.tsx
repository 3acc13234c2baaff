import type { Ref } from "preact";
import { type Filters, FLAGS, hidesCalls, LIVE_STATES, type LiveState, SORTS } from "../floor/filters";
import { texts } from "../texts";
import { SearchIcon, StateIcon } from "./icons";
import type { Store } from "./store";

interface FilterBarProps {
  store: Store;
  search: Ref<HTMLInputElement>;
}

export function FilterBar({ store, search }: FilterBarProps) {
  const filters = store.filters.value;
  const set = (change: Partial<Filters>) => store.setFilters(change);
  return (
    <section class="filters" aria-label={texts.filters.label}>
      <label class="search">
        <SearchIcon />
        <span class="hidden">{texts.filters.text}</span>
        <input
          ref={search}
          type="search"
          placeholder={texts.filters.text}
          data-testid="filter-text"
          value={filters.text}
          onInput={(event) => store.setFilters({ text: event.currentTarget.value }, { keepsHistory: false })}
        />
      </label>
      <QueueFilter store={store} />
      <StateFilter filters={filters} set={set} />
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

function QueueFilter({ store }: { store: Store }) {
  store.revision.value;
  const chosen = store.filters.value.queue;
  const queues = [...store.feed.directory.queues.values()].map(({ id, name }) => [id, name] as const);
  const missing =
    chosen !== null && !store.feed.directory.queues.has(chosen) ? [[chosen, chosen] as const] : [];
  return (
    <Choice
      label={texts.filters.queue}
      testId="filter-queue"
      value={chosen ?? ""}
      options={[["", texts.filters.allQueues], ...queues, ...missing]}
      onChoose={(value) => store.setFilters({ queue: value === "" ? null : value })}
    />
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
          data-testid={`filter-state-${state}`}
          onClick={() => toggle(state)}
        >
          <StateIcon state={state} />
          {texts.states[state]}
        </button>
      ))}
    </fieldset>
  );
}

interface ChoiceProps {
  label: string;
  testId: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  onChoose: (value: string) => void;
}

function Choice({ label, testId, value, options, onChoose }: ChoiceProps) {
  return (
    <label class="choice">
      <span class="hidden">{label}</span>
      <select
        data-testid={testId}
        title={label}
        value={value}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Shown({ store }: { store: Store }) {
  store.revision.value;
  const total = store.feed.floor.live.size;
  return (
    <div class="shown">
      {hidesCalls(store.filters.value) ? (
        <button type="button" class="quiet" data-testid="clear-filters" onClick={() => store.clearFilters()}>
          {texts.filters.clear}
        </button>
      ) : null}
      <span data-testid="shown-count">
        {store.picture.value.provenAt === null ? "" : texts.filters.shown(store.calls.value.length, total)}
      </span>
    </div>
  );
}
