"""The unit of work on Postgres.

An attempt usually takes two round trips: lock and read; write and commit. Reading a log, restoring an archived call and
claiming an agent take more.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.columns import array_text, column_values
from shared.adapters.postgres.connection import (
    ALLOW_BACKGROUND,
    OUTAGE_ERRORS,
    Database,
    RoundTripTimeout,
    TimeoutConnection,
)
from shared.adapters.postgres.figures import archive
from shared.adapters.postgres.recording import agent_effects, outbox, statements
from shared.adapters.postgres.recording.claim_agent import CLAIM_AGENT
from shared.domain.agent import ENGAGED, Effect
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind
from shared.domain.events import Limits
from shared.domain.routing import Routing, Search, Strategy
from shared.usecases.errors import ConflictError, UnavailableError
from shared.usecases.recording.ports import (
    MIN_TIME,
    AgentRecord,
    CallRecord,
    CallUpdates,
    EventRow,
    KnownEvent,
    LoadedCalls,
    LogPositions,
    MovedAgents,
    OutboxEntry,
    UnitOfWork,
)

Cursor = psycopg.Cursor[TupleRow]
Query = tuple[LiteralString, Any]


class PostgresTransactions:
    """Begins units of work. `shards` is the number of relays that share the publishing."""

    def __init__(self, database: Database, shards: int = 1) -> None:
        self._database, self._shards = database, shards

    @contextmanager
    def begin(self) -> Generator[UnitOfWork]:
        """Raises `ConflictError` if the caller should retry at once, `UnavailableError` if it should retry later.

        A connection may have died while the function was frozen. Before a commit was sent, nothing can have been
        written, so the caller retries at once on a new connection. After a round trip timed out, no time is left for
        that.
        """
        connection = self._database.connection()
        unit_of_work = PostgresUnitOfWork(connection, self._shards)
        try:
            yield unit_of_work
        except psycopg.Error as error:
            unit_of_work.abandon()
            died = connection.closed and not isinstance(error, RoundTripTimeout)
            again = isinstance(error, _CONFLICTS) or (died and not unit_of_work.committing)
            # After a broken pipeline, psycopg considers statements prepared that the server never received.
            self._database.close()
            if again:
                raise ConflictError(str(error)) from error
            if isinstance(error, OUTAGE_ERRORS):
                raise UnavailableError(str(error)) from error
            raise
        except BaseException:  # any exception may have broken the pipeline
            unit_of_work.abandon()
            self._database.close()
            raise
        finally:
            unit_of_work.abandon()
            _roll_back_open_transaction(connection)


_CONFLICTS = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


def _roll_back_open_transaction(connection: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.Error):
        if not connection.closed and connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("rollback")


class PostgresUnitOfWork:
    def __init__(self, connection: TimeoutConnection, shards: int) -> None:
        self._connection, self._shards = connection, shards
        self._agents: dict[str, AgentRecord] = {}
        self._applied_effects: list[Effect] = []
        self._effects: list[Effect] = []
        self._agents_to_register: list[Effect] = []
        self._drawn = LogPositions(0, ())
        self._open = ExitStack()
        self._pipeline: psycopg.Pipeline | None = None
        self.committing = False

    def _run(
        self,
        queries: Iterable[Query],
        *,
        commit: bool = False,
        wait: bool = True,
        during_commit: Callable[[], None] = lambda: None,
    ) -> list[Cursor]:
        """Send the queries. Postgres executes the first while the next is still being built."""
        cursors: list[Cursor] = []
        if not self._pipeline:
            self._pipeline = self._open.enter_context(self._connection.pipeline())
            self._connection.cursor_of("begin").execute("begin")
        for query, parameters in queries:
            cursor = self._connection.cursor_of(query)
            if cursor in cursors:
                cursor = self._connection.cursor(binary=True)
            cursors.append(cursor.execute(query, parameters))
        if commit:
            self.committing = True
            self._connection.cursor_of("commit").execute("commit")
            with self._open:
                during_commit()
        elif wait:
            self._pipeline.sync()
        return cursors

    def abandon(self) -> None:
        """Roll back, unless the commit was sent."""
        with suppress(psycopg.Error), self._open:
            if self._pipeline and not self.committing:
                self._connection.execute("rollback")

    def load(
        self,
        call_ids: Collection[str],
        event_ids: Collection[str],
        queue_ids: Collection[str],
        events: int = 0,
        since: datetime = MIN_TIME,
    ) -> LoadedCalls:
        """Lock, then look for replays: after a wait for the lock, the events of its previous holder are visible."""
        calls = array_text([*call_ids])
        known_events = statements.KNOWN_EVENTS, {"ids": array_text([*event_ids]), "calls": calls, "since": since}
        queries: list[Query] = [(statements.LOCK_CALLS, [calls]), _draw(events)]
        if event_ids:
            queries.append(known_events)
        if queue_ids:
            queries.append((statements.LIMITS, [array_text([*queue_ids])]))
        locked, *others = self._run(queries)
        records = _records(locked)
        results = iter([cursor.fetchall() for cursor in others])
        self._drawn = _drawn(next(results))
        known = next(results) if event_ids else ()
        limits = next(results) if queue_ids else ()
        missing = [call_id for call_id in call_ids if call_id not in records]
        if missing and (archived := self._unarchived(missing)):
            records |= archived
            known = self._run([known_events])[0].fetchall() if event_ids else ()
        return LoadedCalls(
            {call_id: records.get(call_id) or CallRecord(call_id) for call_id in call_ids},
            {event_id: KnownEvent(*fields) for event_id, *fields in known},
            {queue_id: Limits(*fields) for queue_id, *fields in limits},
        )

    def reserve_positions(self, events: int) -> LogPositions:
        if len(self._drawn.positions) < events:
            (drawn,) = self._run([_draw(events)])
            self._drawn = _drawn(drawn.fetchall())
        transaction, positions = self._drawn.transaction, self._drawn.positions
        self._drawn = LogPositions(transaction, positions[events:])
        return LogPositions(transaction, positions[:events])

    def _unarchived(self, call_ids: Sequence[str]) -> dict[str, CallRecord]:
        (rows,) = self._run([(statements.UNARCHIVE_CALLS, [array_text(call_ids)])])
        records = _records(rows)
        if begun := [record.id for record in records.values() if record.call]:
            self._run(archive.update_rollups(begun, -1))
        return records

    def archive_calls(self, before: datetime, limit: int) -> int:
        with self._connection.background():
            return self._archive(before, limit)

    def _archive(self, before: datetime, limit: int) -> int:
        to_archive = statements.TO_ARCHIVE, {"before": before, "limit": limit}
        (_, rows) = self._run([(ALLOW_BACKGROUND, None), to_archive])
        found = rows.fetchall()
        if not found:
            return 0
        begun = [call_id for call_id, initiated_at in found if initiated_at]
        months = archive.months((initiated_at or before for _, initiated_at in found), before)
        makes: list[Query] = [(archive.MAKE_CALL_MONTH, [month]) for month in months]
        archived: Query = statements.ARCHIVE, [[call_id for call_id, _ in found]]
        self._run([*makes, archived, *(archive.update_rollups(begun, 1) if begun else ())], commit=True)
        return len(found)

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]:
        (rows,) = self._run([(statements.LOGS, {"calls": array_text([*call_ids])})])
        logs: dict[str, list[EventRow]] = defaultdict(list)
        for row in _named(rows):
            logs[row["call_id"]].append(row_mapping.event_from_row(row))
        return logs

    def due_timers(self, now: datetime, limit: int) -> Mapping[str, set[TimerKind]]:
        (rows,) = self._run([(statements.DUE_TIMERS, {"kinds": list(TimerKind), "now": now, "limit": limit})])
        due: dict[str, set[TimerKind]] = defaultdict(set)
        for call_id, kind in rows:
            due[call_id].add(TimerKind(kind))
        return due

    def waiting_calls(self, now: datetime, queue_ids: Collection[str] | None, limit: int) -> Sequence[str]:
        queues = None if queue_ids is None else list(queue_ids)
        (rows,) = self._run([(statements.WAITING_CALLS, {"now": now, "queues": queues, "limit": limit})])
        return [call_id for (call_id,) in rows]

    def routing(self, queue_ids: Collection[str]) -> Mapping[str, Routing]:
        (rows,) = self._run([(statements.ROUTING, [list(queue_ids)])])
        return {queue_id: Routing(Strategy(strategy), *overflow) for queue_id, strategy, *overflow in rows}

    def apply_effects(self, effects: Sequence[Effect]) -> None:
        queries = _effects(effects)
        self._applied_effects += effects
        if queries:
            self._note_agents(self._run(queries))

    def _note_agents(self, results: Sequence[Cursor]) -> None:
        """Remember the agents that the transaction changed, to publish them."""
        for result in results:
            self._agents |= {agent.id: agent for agent in map(row_mapping.agent_from_values, result.fetchall())}

    def claim_agent(self, call: Call, search: Search, strategy: Strategy, at: datetime) -> str | None:
        parameters = {
            "call_id": call.id,
            "queue_id": search.queue_id,
            "language": call.language,
            "but_for": list(search.but_for),
            "at": at,
        }
        for claim in CLAIM_AGENT[strategy]:
            (rows,) = self._run([(claim, parameters)])
            if row := rows.fetchone():
                return row[0]
        return None

    def record(self, rows: Sequence[EventRow]) -> None:
        columns = column_values(row_mapping.EVENT_COLUMNS, map(row_mapping.event_values, rows))
        self._run([(statements.INSERT_EVENTS, columns)], wait=False)

    def write(self, updates: CallUpdates, now: datetime) -> None:
        self._effects += updates.effects
        self._agents_to_register += updates.agents_to_register
        self._run(_written(updates, now), wait=False)

    def commit(self, outbox_entry: OutboxEntry, now: datetime, during_commit: Callable[[], None]) -> MovedAgents:
        effects = *self._applied_effects, *self._agents_to_register, *self._effects
        moves = list(dict.fromkeys((effect.agent_id, effect.call_id) for effect in effects))
        rows = list(outbox.insert_rows(outbox_entry, moves, now, self._shards))
        results = self._run(
            [*rows, *_register(self._agents_to_register), *_effects(self._effects)],
            commit=True,
            during_commit=during_commit,
        )
        self._note_agents(results[len(rows) :])
        return MovedAgents(list(self._agents.values()), moves)


def _records(found: Cursor) -> dict[str, CallRecord]:
    return {record.id: record for record in map(row_mapping.record_from_values, found.fetchall())}


def _named(found: Cursor) -> Iterator[row_mapping.Row]:
    names = [column.name for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def _draw(events: int) -> Query:
    return statements.DRAW, [-(-events // statements.BLOCK)]


def _drawn(rows: Sequence[TupleRow]) -> LogPositions:
    ((transaction, blocks),) = rows
    places = [range(first, first + statements.BLOCK) for first in blocks]
    return LogPositions(transaction, places[0] if len(places) == 1 else [*chain(*places)])


def _written(updates: CallUpdates, now: datetime) -> Iterator[Query]:
    """Built one by one while they are sent. The slowest for Postgres come first."""
    yield from _calls(updates, now)
    if updates.changed_events:
        yield (
            statements.RESTATE_EVENTS,
            column_values(row_mapping.RESTATED_COLUMNS, map(row_mapping.restated_values, updates.changed_events)),
        )
    yield from _timers(updates)


def _calls(updates: CallUpdates, now: datetime) -> Iterator[Query]:
    fresh = [row_mapping.call_values(record, now) for record in updates.records if not record.exists]
    known = [row_mapping.call_values(record, now) for record in updates.records if record.exists]
    if fresh:
        yield statements.INSERT_CALLS, [now, *column_values(row_mapping.CALL_COLUMNS, fresh)]
    if known:
        yield statements.UPDATE_CALLS, column_values(row_mapping.CALL_COLUMNS, known)


def _timers(updates: CallUpdates) -> Iterator[Query]:
    if updates.disarmed:
        yield statements.DISARM_TIMERS, column_values(statements.TIMER, updates.disarmed)
    if updates.armed:
        yield (
            statements.ARM_TIMERS,
            column_values(statements.ARMED_TIMER, ((*timer, due_at) for timer, due_at in updates.armed.items())),
        )


def _register(agents: Sequence[Effect]) -> Iterator[Query]:
    if agents:
        first = {e.agent_id: e for e in sorted(agents, key=lambda effect: effect.since, reverse=True)}
        found = [(e.agent_id, e.call_id, e.status, e.since) for e in first.values()]
        yield agent_effects.REGISTER_UNKNOWN_AGENTS, column_values(agent_effects.ENGAGED, found)


def _effects(effects: Sequence[Effect]) -> list[Query]:
    """Releases before engagements: a call releases one agent before it engages the next.

    Both are in order of time, so that the result is the same as if they had arrived one by one.
    """
    queries: list[Query] = []
    if not effects:
        return queries
    released = list(_placed(effect for effect in effects if effect.status not in ENGAGED))
    if released:
        releases = [
            (e.agent_id, e.call_id, e.status, e.since, e.reason, e.engaged_since, e.known, place)
            for place, e in released
        ]
        queries.append((agent_effects.RELEASE_AGENTS, column_values(agent_effects.RELEASED, releases)))
    engaged = sorted(
        _placed(effect for effect in effects if effect.status in ENGAGED),
        key=lambda placed: (
            placed[0],
            placed[1].agent_id,
        ),  # the same order in all transactions, so that they cannot deadlock
    )
    for _, wave in groupby(engaged, key=itemgetter(0)):  # a statement can name an agent once
        engagements = [(e.agent_id, e.call_id, e.status, e.since) for _, e in wave]
        queries.append((agent_effects.ENGAGE_AGENTS, column_values(agent_effects.ENGAGED, engagements)))
    return queries


def _placed(effects: Iterable[Effect]) -> Iterator[tuple[int, Effect]]:
    """Effects with their place among those of the same agent, from 1."""
    counts: dict[str, int] = defaultdict(int)
    for effect in sorted(effects, key=lambda effect: effect.since):
        counts[effect.agent_id] += 1
        yield counts[effect.agent_id], effect
