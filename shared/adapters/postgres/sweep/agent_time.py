"""Stores agent time. A batch is one transaction, and batches exclude each other."""

from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.columns import DOCUMENT, Columns, column_values, rows_from
from shared.adapters.postgres.connection import ALLOW_BACKGROUND, Database, available
from shared.adapters.postgres.figures import agent_time_sums
from shared.adapters.postgres.queries import load_queries
from shared.domain.agent import AgentStatus
from shared.domain.agent_time import AgentCause, AgentInterval, AgentState
from shared.domain.events import Event
from shared.usecases.sweep.update_agent_time import AgentTimeBatch, CauseOfAgent, IntervalChanges, Timeline

CARRIED = "carried"
# Locking this row gives the right to update agent time. Everything below the horizon is committed and visible.
_TAKE = "select through, kept_since, horizon_position() as horizon from agent_time_progress for update"
# Imported calls move no agents. A batch reads up to this many events, and keeps a smaller number of those that can move
# agents. Imported events of a call that was not imported can: such a call is not archived for an hour.
MAX_EVENTS_READ = 20_000
_SQL = load_queries(
    __file__,
    moves="(source <> 'history' or exists (select from calls_live c where c.id = e.call_id and not c.history))",
    # Like `StatusChange.source`.
    report="""agent_id, status, at,
    case when sequence is null then id else lpad(sequence::text, 16, '0') || '.' || id end as source""",
    overlapping=agent_time_sums.overlapping("of.agent_id", "of.since", "'infinity'"),
)
_LOGS = "select * from events where call_id = any(%s) and state = 'applied'"
_FORGIVEN = "select id, misses_before_away from queues where id = any(%s)"
_INTERVAL_COLUMNS: LiteralString = "agent_id, began, ended, of_call, source, step, cause, max_misses, status, state"
_CALL_INTERVALS: LiteralString = f"select {_INTERVAL_COLUMNS} from agent_intervals where of_call and source = any(%s)"
_MAKE_MONTHS = "select make_agent_month(moment) from unnest(%s::timestamptz[]) moment"
_KEY: Columns = {"agent_id": "text", "began": "timestamptz", "of_call": "bool", "source": "text", "step": "int"}
_DELETE: LiteralString = f"""
delete from agent_intervals s using {rows_from(_KEY)}
where (s.agent_id, s.began, s.of_call, s.source, s.step) = (r.agent_id, r.began, r.of_call, r.source, r.step)
"""
_ROW: Columns = {
    **_KEY, "ended": "timestamptz", "cause": "text", "max_misses": "int", "status": "text", "state": DOCUMENT,
}  # fmt: skip
_INSERT: LiteralString = f"insert into agent_intervals ({', '.join(_ROW)}) select * from {rows_from(_ROW)}"
FORGET_AGENT_MONTH = "select forget_agent_month(%s)"  # drops the oldest month that ended by that time
_SET_PROGRESS = "update agent_time_progress set through = %s"


class PostgresAgentTimeStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def batch(self, events: int) -> Generator["PostgresAgentTimeBatch | None"]:
        connection = self._database.connection()
        with (
            available(),
            connection.background(),
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(ALLOW_BACKGROUND)
            row = cursor.execute(_TAKE + " skip locked").fetchone()
            if row is None:
                yield None
                return
            batch = PostgresAgentTimeBatch(cursor, row["kept_since"])
            until = batch.read(row["through"], row["horizon"], events)
            yield batch
            if until > row["through"]:
                cursor.execute(_SET_PROGRESS, [until])

    @contextmanager
    def empty_batch(self) -> Generator["PostgresAgentTimeBatch"]:
        connection = self._database.connection()
        with available(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            (row,) = cursor.execute(_TAKE).fetchall()
            yield PostgresAgentTimeBatch(cursor, row["kept_since"])


class PostgresAgentTimeBatch(AgentTimeBatch):
    def __init__(self, cursor: psycopg.Cursor[DictRow], kept_since: datetime) -> None:
        self._cursor, self.kept_since = cursor, kept_since
        self.calls: Sequence[str] = ()
        self.reports: Sequence[CauseOfAgent] = ()
        self.events = 0

    def read(self, through: int, horizon: int, limit: int) -> int:
        """Read new events. Returns the position up to which whole transactions were read."""
        parameters = {"through": through, "horizon": horizon, "limit": limit, "max_read": MAX_EVENTS_READ}
        (new,) = self._rows(_SQL["new_events"], parameters)
        last = new["full_at"] or (new["last"] if new["seen"] == MAX_EVENTS_READ else None)
        until = horizon if last is None else last + 1
        self.calls = (
            [row["call_id"] for row in self._rows(_SQL["new_calls"], [through, until])] if new["moving"] else ()
        )
        self.reports = [_report(row) for row in self._rows(_SQL["new_reports"], [through, until])]
        self.events = new["moving"] if last is None else limit
        return until

    def logs(self, call_ids: Collection[str]) -> Iterable[Sequence[Event]]:
        logs: dict[str, list[Event]] = defaultdict(list)
        for row in self._rows(_LOGS, [list(call_ids)]) if call_ids else ():
            logs[row["call_id"]].append(row_mapping.event_from_row(row).event)
        return logs.values()

    def max_misses(self, queue_ids: Collection[str]) -> Mapping[str, int]:
        return {row["id"]: row["misses_before_away"] for row in self._rows(_FORGIVEN, [list(queue_ids)])}

    def causes_of_calls(self, call_ids: Collection[str]) -> Collection[CauseOfAgent]:
        rows = self._rows(_CALL_INTERVALS, [list(call_ids)]) if call_ids else ()
        return [(row["agent_id"], interval_from_row(row).cause) for row in rows]

    def reports_of(self, agent_id: str) -> Collection[AgentCause]:
        return [_report(row)[1] for row in self._rows(_SQL["reports_of_agent"], [agent_id])]

    def timelines(self, since: Mapping[str, datetime]) -> Mapping[str, Timeline]:
        timelines: dict[str, list[AgentInterval]] = {agent_id: [] for agent_id in since}
        before: dict[str, AgentInterval] = {}
        for row in self._rows(_SQL["timelines"], [list(since), list(since.values())]):
            interval = interval_from_row(row)
            if interval.cause.at < row["since"]:
                before[row["agent_id"]] = interval
            else:
                timelines[row["agent_id"]].append(interval)
        return {agent_id: (before.get(agent_id), intervals) for agent_id, intervals in timelines.items()}

    def write(self, changes: IntervalChanges) -> None:
        removed, added = [_values(*each) for each in changes.removed], [_values(*each) for each in changes.added]
        if removed:
            self._cursor.execute(_DELETE, column_values(_KEY, [row[: len(_KEY)] for row in removed]))
        if added:
            self._cursor.execute(_MAKE_MONTHS, [sorted({interval.cause.at for _, interval in changes.added})])
            self._cursor.execute(_INSERT, column_values(_ROW, added))
        if signed := [*_signed(changes.removed, -1), *_signed(changes.added, 1)]:
            self._cursor.execute(agent_time_sums.COUNT, column_values(agent_time_sums.SIGNED, signed))

    def _rows(self, query: LiteralString, parameters: Any) -> list[DictRow]:  # noqa: ANN401 - psycopg's own
        return self._cursor.execute(query, parameters).fetchall()


def _signed(intervals: Iterable[tuple[str, AgentInterval]], sign: int) -> Iterable[tuple[object, ...]]:
    return [
        (a, interval.state.status, interval.cause.at, interval.ended, sign)
        for a, interval in intervals
        if interval.ended
    ]


def _report(row: DictRow) -> CauseOfAgent:
    return row["agent_id"], AgentCause(row["at"], False, row["source"], 0, AgentStatus(row["status"]))


def interval_from_row(row: DictRow) -> AgentInterval:
    stored = row["state"]
    claims = tuple((call_id, AgentStatus(status)) for call_id, status in stored["claims"])
    state = AgentState(AgentStatus(stored["reported"]), claims, stored["misses"])
    carried_state = state if row["cause"] == CARRIED else None
    status = state.status if carried_state else AgentStatus(row["cause"])
    place = row["began"], row["of_call"], row["source"], row["step"]
    return AgentInterval(AgentCause(*place, status, row["max_misses"], carried_state), state, row["ended"])


def _values(agent_id: str, interval: AgentInterval) -> tuple[object, ...]:
    cause, state = interval.cause, interval.state
    key = agent_id, cause.at, cause.of_call, cause.source, cause.step
    status = CARRIED if cause.carried_state else cause.status
    document = {"reported": state.reported, "claims": state.claims, "misses": state.misses}
    return *key, interval.ended, status, cause.max_misses, state.status, document
