/** The calls behind a figure: the result of the API query in the address, page by page. */

import { useEffect, useMemo } from "preact/hooks";
import type { Query } from "../../address";
import type { Call } from "../../contracts";
import type { Api, Halt } from "../../feed/api";
import { clockTime, dayUnlessToday } from "../../model/durations";
import { agentIdOf, type Directory, languageName, languageOf, nameOf } from "../../model/filters";
import { texts } from "../../texts";
import { duration } from "../figures/figures";
import { Chip } from "../shell/Chip";
import * as controlStyles from "../shell/controls.module.css";
import { Flags } from "../shell/Flags";
import * as filterStyles from "../shell/filters.module.css";
import { HeadRow, NUMBER, OPTIONAL } from "../shell/HeadRow";
import { Forbidden, LastUpdated, LoadFailed } from "../shell/Loaded";
import * as loadedStyles from "../shell/Loaded.module.css";
import * as layoutStyles from "../shell/layout.module.css";
import { Notice } from "../shell/Notice";
import * as tableStyles from "../shell/table.module.css";
import * as textStyles from "../shell/text.module.css";
import { CallPages } from "./call-pages";

/** Parameters of the page itself, not of the API. */
const PAGE_PARAMETERS = ["call", "limit"];

interface CallsProps {
  api: Api;
  /** The parameters of the address. */
  query: URLSearchParams;
  directory: Directory;
  now: number;
  localNow: number;
  openId: string | null;
  onQuery: (change: Query) => void;
  onOpen: (callId: string) => void;
  onHalt: (halt: Halt) => void;
}

export function Calls(props: CallsProps) {
  const { api, directory, now, localNow, openId, onQuery, onOpen, onHalt } = props;
  const parameters = new URLSearchParams(props.query);
  for (const name of PAGE_PARAMETERS) parameters.delete(name);
  const query = parameters.toString();
  const pages = useMemo(() => new CallPages(api, query, onHalt), [api, query]);
  useEffect(() => () => pages.close(), [pages]);
  const calls = pages.calls.value;
  const updatedAt = pages.updatedAt.value;
  return (
    <>
      <section class={filterStyles.filters} aria-label={texts.filters.label}>
        <h2 class={filterStyles.viewTitle}>{texts.views.calls}</h2>
        {[...parameters].map(([name, value]) => (
          <Chip
            key={name}
            testId={`chip-${name}`}
            label={texts.calls.filters[name] ?? name}
            value={displayValue(directory, name, value)}
            onRemove={() => onQuery({ [name]: null })}
          />
        ))}
        <div class={filterStyles.shown}>
          <span class={filterStyles.count}>
            {updatedAt === null ? "" : texts.calls.count(calls.length, pages.hasMore.value)}
          </span>
          <LastUpdated updatedAt={updatedAt} state={pages.state.value} localNow={localNow} />
          <button type="button" class={controlStyles.quiet} onClick={() => void pages.refresh()}>
            {texts.calls.refresh}
          </button>
        </div>
      </section>
      <div class={layoutStyles.scroll}>
        <CallTable {...{ pages, directory, now, openId, onOpen }} />
      </div>
    </>
  );
}

/** The value of an API parameter, as the page shows it. */
function displayValue({ queues, agents }: Directory, name: string, value: string): string {
  const agent = (id: string) => nameOf(agents, id);
  const formats: Record<string, (text: string) => string | null> = {
    queueId: (id) => nameOf(queues, id),
    agentId: (id) => (id === "-" ? texts.calls.none : agent(id)),
    missedBy: agent,
    language: (tag) => (tag === "-" ? texts.calls.none : languageName(tag)),
    from: dateAndTime,
    to: dateAndTime,
    flag: (flag) => texts.flags[flag] ?? flag,
    noFlag: (flag) => texts.flags[flag] ?? flag,
  };
  return formats[name]?.(value) ?? value;
}

const dateTimeFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function dateAndTime(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : dateTimeFormat.format(at);
}

interface CallTableProps {
  pages: CallPages;
  directory: Directory;
  now: number;
  openId: string | null;
  onOpen: (callId: string) => void;
}

function CallTable({ pages, directory, now, openId, onOpen }: CallTableProps) {
  const state = pages.state.value;
  const calls = pages.calls.value;
  if (state === "forbidden") return <Forbidden />;
  if (calls.length === 0) {
    if (state === "loading") return <Notice title={texts.loading} testId="loading" />;
    if (state === "failed")
      return <LoadFailed detail={pages.errorMessage.value} onRetry={() => void pages.more()} />;
    return <Notice title={texts.calls.empty} help={texts.calls.emptyHelp} testId="empty" />;
  }
  const { columns } = texts.calls;
  return (
    <section class={layoutStyles.block}>
      <table class={tableStyles.table} aria-label={texts.views.calls}>
        <HeadRow
          columns={[
            [columns.start],
            [texts.columns.call],
            [texts.columns.queue],
            [texts.columns.language, OPTIONAL],
            [texts.columns.agent],
            [texts.columns.waited, NUMBER],
            [columns.talked, NUMBER],
            [columns.outcome, OPTIONAL],
            [texts.columns.flags, OPTIONAL],
          ]}
        />
        <tbody>
          {calls.map((call) => (
            <Row key={call.id} isOpen={call.id === openId} {...{ call, directory, now, onOpen }} />
          ))}
        </tbody>
      </table>
      {state === "failed" ? (
        <p class={loadedStyles.banner} role="alert">
          {texts.failed}: {pages.errorMessage.value}
        </p>
      ) : null}
      {pages.hasMore.value ? (
        <button
          type="button"
          class={`${controlStyles.primary} ${controlStyles.more}`}
          data-testid="more"
          disabled={state === "loading"}
          onClick={() => void pages.more()}
        >
          {texts.more}
        </button>
      ) : null}
    </section>
  );
}

interface RowProps {
  call: Call;
  directory: Directory;
  now: number;
  isOpen: boolean;
  onOpen: (callId: string) => void;
}

function Row({ call, directory: { queues, agents }, now, isOpen, onOpen }: RowProps) {
  const queue = queues.get(call.queueId);
  const agentId = agentIdOf(call);
  return (
    <tr data-testid="found-call" data-call-id={call.id} aria-selected={isOpen}>
      <td title={dateAndTime(call.startTime)}>
        {clockTime(Date.parse(call.startTime))}
        <span class={tableStyles.startDay}>{dayUnlessToday(Date.parse(call.startTime), now)}</span>
      </td>
      <th scope="row">
        <button
          type="button"
          class={`${controlStyles.link} ${textStyles.mono}`}
          title={call.id}
          onClick={() => onOpen(call.id)}
        >
          {call.id}
        </button>
      </th>
      <td>{nameOf(queues, call.queueId)}</td>
      <td class={tableStyles.optional}>{languageName(languageOf(call, queue)) ?? texts.nothing}</td>
      <td>{agentId === null ? texts.nothing : nameOf(agents, agentId)}</td>
      <td class={tableStyles.number}>{duration(call.waitSeconds)}</td>
      <td class={tableStyles.number}>{duration(call.durationSeconds)}</td>
      <td class={tableStyles.optional}>
        {call.endReason === null ? texts.states[call.status] : texts.panel.reasons[call.endReason]}
      </td>
      <td class={tableStyles.optional}>
        <Flags flags={call.flags} />
      </td>
    </tr>
  );
}
