/** The agents with their states, and bar charts by agent. */

import type { Query } from "../../address";
import type { Agent, AgentStatus, Queue } from "../../contracts";
import {
  AGENT_STATUSES,
  countByStatus,
  matchingAgents,
  parseAgentFilters,
  sortAgents,
} from "../../model/agent-list";
import { clockDuration } from "../../model/durations";
import { type Directory, languageName, nameOf, shortId } from "../../model/filters";
import { texts } from "../../texts";
import { LanguageChoice, QueueChoice } from "../shell/CommonFilters";
import * as controlStyles from "../shell/controls.module.css";
import type { Day } from "../shell/DayChoice";
import * as filterStyles from "../shell/filters.module.css";
import { HeadRow, NUMBER, OPTIONAL } from "../shell/HeadRow";
import type { OpenResource } from "../shell/Loaded";
import * as layoutStyles from "../shell/layout.module.css";
import { Notice } from "../shell/Notice";
import { Search } from "../shell/Search";
import * as tableStyles from "../shell/table.module.css";
import * as textStyles from "../shell/text.module.css";
import * as tileStyles from "../shell/tiles.module.css";
import { useFirstRows } from "../shell/useFirstRows";
import { AgentCharts } from "./AgentCharts";
import * as styles from "./Agents.module.css";

interface AgentsProps {
  /** The parameters of the address. */
  query: URLSearchParams;
  directory: Directory & { isKnown: boolean };
  languages: readonly string[];
  now: number;
  localNow: number;
  day: Day;
  openResource: OpenResource;
  onQuery: (change: Query, options?: { keepsHistory: boolean }) => void;
  onOpen: (callId: string) => void;
}

export function Agents(props: AgentsProps) {
  const { query, directory, languages, now, localNow, day, openResource, onQuery, onOpen } = props;
  const { queues, agents, isKnown } = directory;
  const filters = parseAgentFilters(query);
  const matching = matchingAgents(agents.values(), filters);
  const toggle = (status: AgentStatus) => {
    const isOnly = filters.statuses.length === 1 && filters.statuses[0] === status;
    onQuery({ status: isOnly ? null : status });
  };
  return (
    <>
      <StatusTiles
        counts={isKnown ? countByStatus(matching) : null}
        chosen={filters.statuses}
        onChoose={toggle}
      />
      <section class={filterStyles.filters} aria-label={texts.agents.filters}>
        <Search
          label={texts.agents.find}
          value={filters.text}
          onText={(text) => onQuery({ text }, { keepsHistory: false })}
        />
        <QueueChoice queues={queues} chosen={filters.queue} onChoose={(queue) => onQuery({ queue })} />
        <LanguageChoice
          languages={languages}
          chosen={filters.language}
          onChoose={(language) => onQuery({ language })}
        />
      </section>
      <div class={`${layoutStyles.scroll} ${layoutStyles.columns}`}>
        <AgentTable
          agents={sortAgents(matching, filters.statuses)}
          emptyTitle={agents.size === 0 ? texts.agents.empty : texts.agents.noMatch}
          emptyHelp={agents.size === 0 ? texts.agents.emptyHelp : ""}
          {...{ isKnown, queues, now, onOpen }}
        />
        <AgentCharts
          queue={filters.queue}
          onDay={(name) => onQuery({ day: name })}
          {...{ day, agents, localNow, openResource }}
        />
      </div>
    </>
  );
}

interface StatusTilesProps {
  /** Null before the agents were read. */
  counts: Record<AgentStatus, number> | null;
  chosen: readonly AgentStatus[];
  onChoose: (status: AgentStatus) => void;
}

function StatusTiles({ counts, chosen, onChoose }: StatusTilesProps) {
  return (
    <section class={`${tileStyles.tiles} ${tileStyles.six}`} aria-label={texts.agents.byState}>
      {AGENT_STATUSES.map((status) => (
        <button
          key={status}
          type="button"
          class={tileStyles.tile}
          aria-pressed={chosen.includes(status)}
          data-testid={`agents-${status}`}
          onClick={() => onChoose(status)}
        >
          <span class={tileStyles.tileLabel} data-testid="tile-label">
            <AgentMark status={status} />
            {texts.agents.statuses[status]}
          </span>
          <span class={tileStyles.tileValue}>{counts === null ? texts.nothing : counts[status]}</span>
        </button>
      ))}
    </section>
  );
}

function AgentMark({ status }: { status: AgentStatus }) {
  return <span class={styles.agentMark} data-testid="agent-mark" data-status={status} aria-hidden="true" />;
}

interface AgentTableProps {
  agents: readonly Agent[];
  isKnown: boolean;
  queues: ReadonlyMap<string, Queue>;
  now: number;
  emptyTitle: string;
  emptyHelp: string;
  onOpen: (callId: string) => void;
}

function AgentTable({ agents, isKnown, queues, now, emptyTitle, emptyHelp, onOpen }: AgentTableProps) {
  const [shown, more] = useFirstRows(agents);
  if (!isKnown) return <Notice title={texts.loading} testId="loading" />;
  if (agents.length === 0) return <Notice title={emptyTitle} help={emptyHelp} testId="empty" />;
  const { columns } = texts.agents;
  return (
    <section class={`${layoutStyles.block} ${styles.roster}`}>
      <table class={tableStyles.table} aria-label={texts.agents.showRows}>
        <HeadRow
          columns={[
            [columns.name],
            [columns.status],
            [columns.since, NUMBER],
            [columns.doing],
            [columns.languages, OPTIONAL],
            [columns.queues, `${OPTIONAL} ${styles.queues}`],
            [columns.misses, `${NUMBER} ${OPTIONAL}`],
          ]}
        />
        <tbody>
          {shown.map((agent) => (
            <AgentRow key={agent.id} {...{ agent, queues, now, onOpen }} />
          ))}
        </tbody>
      </table>
      {more}
    </section>
  );
}

interface AgentRowProps {
  agent: Agent;
  queues: ReadonlyMap<string, Queue>;
  now: number;
  onOpen: (callId: string) => void;
}

function AgentRow({ agent, queues, now, onOpen }: AgentRowProps) {
  const { id, name, status, statusSince, callId, reason, misses } = agent;
  const languageNames = agent.languages.map((tag) => languageName(tag) ?? tag).join(", ");
  const queueNames = agent.queues.map((queueId) => nameOf(queues, queueId)).join(", ");
  return (
    <tr data-agent-id={id} data-status={status}>
      <th scope="row" title={`${name} (${id})`}>
        {name}
      </th>
      <td>
        <span class={styles.agentState}>
          <AgentMark status={status} />
          <span class={styles.agentStateName}>{texts.agents.statuses[status]}</span>
        </span>
      </td>
      <td class={tableStyles.number}>{clockDuration(now - Date.parse(statusSince))}</td>
      <td class={styles.doing}>
        {callId !== null && status !== "available" ? (
          <button
            type="button"
            class={`${controlStyles.link} ${textStyles.mono}`}
            title={callId}
            onClick={() => onOpen(callId)}
          >
            {shortId(callId)}
          </button>
        ) : null}
        {reason === null ? null : <span class={styles.reason}>{texts.agents.reasons[reason] ?? reason}</span>}
      </td>
      <td class={tableStyles.optional} title={languageNames}>
        {languageNames}
      </td>
      <td class={`${tableStyles.optional} ${styles.queues}`} title={queueNames}>
        {queueNames}
      </td>
      <td class={`${tableStyles.number} ${tableStyles.optional}`}>
        {misses === 0 ? "" : texts.agents.missesInARow(misses)}
      </td>
    </tr>
  );
}
