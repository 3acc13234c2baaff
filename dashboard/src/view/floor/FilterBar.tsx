import type { Agent, Queue } from "../../contracts";
import {
  type Filters,
  FLAGS,
  GROUPINGS,
  hidesCalls,
  isExactly,
  LIVE_STATES,
  type LiveState,
  languageName,
  SORTS,
} from "../../model/filters";
import { texts } from "../../texts";
import { Chip } from "../shell/Chip";
import { Choice } from "../shell/Choice";
import { AgentChoice, QueueChoice } from "../shell/CommonFilters";
import * as controlStyles from "../shell/controls.module.css";
import * as filterStyles from "../shell/filters.module.css";
import { StateIcon } from "../shell/icons";
import { Search } from "../shell/Search";
import * as textStyles from "../shell/text.module.css";
import * as styles from "./FilterBar.module.css";

type OnFilter = (change: Partial<Filters>, options?: { keepsHistory: boolean }) => void;

interface FilterBarProps {
  filters: Filters;
  queues: ReadonlyMap<string, Queue>;
  agents: ReadonlyMap<string, Agent>;
  /** The languages that have a card. */
  cardLanguages: readonly (string | null)[];
  /** The number of shown calls, as text. */
  count: string;
  onFilter: OnFilter;
  onClear: () => void;
}

export function FilterBar(props: FilterBarProps) {
  const { filters, queues, agents, cardLanguages, count, onFilter, onClear } = props;
  return (
    <section class={filterStyles.filters} aria-label={texts.filters.label}>
      <Search
        label={texts.filters.text}
        value={filters.text}
        onText={(text) => onFilter({ text }, { keepsHistory: false })}
      />
      <StateFilter filters={filters} onFilter={onFilter} />
      <QueueChoice queues={queues} chosen={filters.queue} onChoose={(queue) => onFilter({ queue })} />
      <AgentChoice agents={agents} chosen={filters.agent} onChoose={(agent) => onFilter({ agent })} />
      <Choice
        label={texts.filters.flag}
        testId="filter-flag"
        value={filters.flag ?? ""}
        options={[
          ["", texts.filters.anyFlag],
          ...FLAGS.map((flag) => [flag, texts.flags[flag] ?? flag] as const),
        ]}
        onChoose={(value) => onFilter({ flag: FLAGS.find((flag) => flag === value) ?? null })}
      />
      <Choice
        label={texts.filters.group}
        testId="group"
        value={filters.group ?? ""}
        options={[
          ["", texts.filters.noGroup],
          ...GROUPINGS.map((name) => [name, texts.groupings[name]] as const),
        ]}
        onChoose={(value) => onFilter({ group: GROUPINGS.find((name) => name === value) ?? null })}
      />
      <Choice
        label={texts.filters.sort}
        testId="sort"
        value={filters.sort}
        options={SORTS.map((sort) => [sort, texts.sorts[sort]] as const)}
        onChoose={(value) => onFilter({ sort: SORTS.find((sort) => sort === value) ?? "urgency" })}
      />
      <div class={filterStyles.shown}>
        <HiddenFilters filters={filters} cardLanguages={cardLanguages} onFilter={onFilter} />
        <button
          type="button"
          class={`${controlStyles.quiet} ${filterStyles.clear}`}
          aria-label={texts.filters.clear}
          disabled={!hidesCalls(filters)}
          onClick={onClear}
        >
          {texts.filters.clearShort}
        </button>
        <span class={filterStyles.count}>{count}</span>
      </div>
    </section>
  );
}

interface FilterProps {
  filters: Filters;
  onFilter: OnFilter;
}

function StateFilter({ filters, onFilter }: FilterProps) {
  const toggle = (state: LiveState) => {
    const others = filters.states.filter((chosen) => chosen !== state);
    const states = others.length < filters.states.length ? others : [...others, state];
    onFilter({ states: LIVE_STATES.filter((known) => states.includes(known)) });
  };
  return (
    <fieldset class={styles.segments}>
      <legend class={textStyles.hidden}>{texts.filters.state}</legend>
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
          <span class={styles.segmentName}>{texts.states[state]}</span>
        </button>
      ))}
    </fieldset>
  );
}

interface HiddenFiltersProps extends FilterProps {
  cardLanguages: readonly (string | null)[];
}

/** Filters of the address that no other control shows: a language without a card, and calls over target. */
function HiddenFilters({ filters, cardLanguages, onFilter }: HiddenFiltersProps) {
  const { language } = filters;
  return (
    <>
      {language === null || cardLanguages.includes(language) ? null : (
        <Chip
          testId="chip-language"
          label={texts.columns.language}
          value={languageName(language) ?? language}
          onRemove={() => onFilter({ language: null })}
        />
      )}
      {filters.breached && !isExactly(filters, { breached: true }) ? (
        <Chip
          testId="chip-breached"
          label={texts.filters.overTarget}
          onRemove={() => onFilter({ breached: false })}
        />
      ) : null}
    </>
  );
}
