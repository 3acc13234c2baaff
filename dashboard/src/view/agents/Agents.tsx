/** The people: who is free, who rings, who talks, who is away and why; and by whom calls are cut short or missed. */

import type { Agent, AgentStatus } from "../../contracts";
import {
  AGENT_STATUSES,
  countByStatus,
  matchingAgents,
  parseAgentFilters,
  sortAgents,
} from "../../model/agent-list";
import { clockDuration } from "../../model/durations";
import { languageName, shortId } from "../../model/filters";
import { texts } from "../../texts";
import { LanguageChoice, QueueChoice } from "../shell/CommonFilters";
import { Notice } from "../shell/Notice";
import { Search } from "../shell/Search";
import { useFirstRows } from "../shell/useFirstRows";
import type { Store } from "../store";
import { AgentCharts } from "./AgentCharts";

export function Agents({ store }: { store: Store }) {
  store.revision.value;
  const filters = parseAgentFilters(store.router.query.value);
  const members = matchingAgents(store.feed.directory.agents.values(), filters);
  return (
    <>
      <StatusTiles store={store} members={members} chosen={filters.statuses} />
      <section class="filters" aria-label={texts.agents.filters}>
        <Search
          label={texts.agents.find}
          value={filters.text}
          onText={(text) => store.router.patch({ text }, { keepsHistory: false })}
        />
        <QueueChoice store={store} />
        <LanguageChoice store={store} />
      </section>
      <div class="scroll columns">
        <KnownAgents store={store} agents={sortAgents(members, filters.statuses)} />
        <AgentCharts store={store} queue={filters.queue} />
      </div>
    </>
  );
}

interface StatusTilesProps {
  store: Store;
  members: readonly Agent[];
  chosen: readonly AgentStatus[];
}

function StatusTiles({ store, members, chosen }: StatusTilesProps) {
  const counts = countByStatus(members);
  const toggle = (status: AgentStatus) => {
    const isOnly = chosen.length === 1 && chosen[0] === status;
    store.router.patch({ status: isOnly ? null : status });
  };
  return (
    <section class="tiles six" aria-label={texts.agents.byState}>
      {AGENT_STATUSES.map((status) => (
        <button
          key={status}
          type="button"
          class="tile"
          aria-pressed={chosen.includes(status)}
          data-testid={`agents-${status}`}
          onClick={() => toggle(status)}
        >
          <span class="tile-label">
            <AgentMark status={status} />
            {texts.agents.statuses[status]}
          </span>
          <span class="tile-value">
            {store.feed.directory.revision === 0 ? texts.nothing : counts[status]}
          </span>
        </button>
      ))}
    </section>
  );
}

function AgentMark({ status }: { status: AgentStatus }) {
  return <span class="agent-mark" data-status={status} aria-hidden="true" />;
}

function KnownAgents({ store, agents }: { store: Store; agents: readonly Agent[] }) {
  const [shown, more] = useFirstRows(agents);
  const { directory } = store.feed;
  if (directory.revision === 0) return <Notice title={texts.loading} testId="loading" />;
  if (agents.length === 0) {
    const isEmpty = directory.agents.size === 0;
    return (
      <Notice
        title={isEmpty ? texts.agents.empty : texts.agents.noMatch}
        help={isEmpty ? texts.agents.emptyHelp : ""}
        testId="empty"
      />
    );
  }
  const { columns } = texts.agents;
  return (
    <section class="block roster">
      <table class="table" aria-label={texts.agents.showRows} data-testid="roster">
        <thead>
          <tr>
            <th scope="col">{columns.name}</th>
            <th scope="col">{columns.status}</th>
            <th scope="col" class="number">
              {columns.since}
            </th>
            <th scope="col">{columns.doing}</th>
            <th scope="col" class="optional">
              {columns.languages}
            </th>
            <th scope="col" class="optional queues">
              {columns.queues}
            </th>
            <th scope="col" class="number optional">
              {columns.misses}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((agent) => (
            <AgentRow key={agent.id} store={store} agent={agent} />
          ))}
        </tbody>
      </table>
      {more}
    </section>
  );
}

function AgentRow({ store, agent }: { store: Store; agent: Agent }) {
  const { queues } = store.feed.directory;
  const { id, name, status, statusSince, callId, reason, languages, misses } = agent;
  return (
    <tr data-testid="agent-row" data-agent-id={id} data-status={status}>
      <th scope="row" title={`${name} (${id})`}>
        {name}
      </th>
      <td>
        <span class="agent-state">
          <AgentMark status={status} />
          <span class="agent-state-name">{texts.agents.statuses[status]}</span>
        </span>
      </td>
      <td class="number">{clockDuration(store.shownNow.value - Date.parse(statusSince))}</td>
      <td class="doing">
        {callId !== null && status !== "available" ? (
          <button type="button" class="link mono" title={callId} onClick={() => store.open(callId)}>
            {shortId(callId)}
          </button>
        ) : null}
        {reason === null ? null : <span class="reason">{texts.agents.reasons[reason] ?? reason}</span>}
      </td>
      <Listed names={languages.map((tag) => languageName(tag) ?? tag)} />
      <Listed kind="queues" names={agent.queues.map((queue) => queues.get(queue)?.name ?? queue)} />
      <td class="number optional">{misses === 0 ? "" : texts.agents.missesInARow(misses)}</td>
    </tr>
  );
}

/** On one line, whole in its title. */
function Listed({ names, kind = "" }: { names: readonly string[]; kind?: string }) {
  const text = names.join(", ");
  return (
    <td class={`optional ${kind}`} title={text}>
      {text}
    </td>
  );
}
