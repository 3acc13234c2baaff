"""The journal on Postgres: two round trips an attempt, one to lock and read, one to write and commit."""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, LiteralString

import orjson
import psycopg
from psycopg import errors
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import claims, codec, outbox, shelf, statements
from shared.adapters.postgres.connection import Database
from shared.domain.agents import ENGAGED, Effect
from shared.domain.call import Call
from shared.domain.facts import Limits
from shared.domain.routing import Routing, Search, Strategy
from shared.domain.rules import TimerKind
from shared.usecases.journal import (
    AgentRecord,
    CallRecord,
    Changes,
    ConflictError,
    EventRow,
    Known,
    Ledger,
    Loaded,
    UnavailableError,
    Written,
)

Cursor = psycopg.Cursor[DictRow]
Query = tuple[LiteralString, Any]


class PostgresJournal:
    """`shards` is how many relays share the work of telling."""

    def __init__(self, database: Database, shards: int = 1) -> None:
        self._database, self._shards = database, shards

    @contextmanager
    def transaction(self) -> Generator[Ledger]:
        """Raises `ConflictError` to be tried again at once, `UnavailableError` to be tried again later.

        A warm connection may have died while the function slept. As long as no commit was sent, nothing can have been
        written: that is tried again at once, on a new connection.
        """
        connection = self._database.connection()
        ledger = PostgresLedger(connection, self._shards)
        try:
            yield ledger
        except psycopg.Error as error:
            again = isinstance(error, _CONFLICTS) or (connection.closed and not ledger.committing)
            # After a pipeline that broke off, psycopg takes statements for prepared which the server never got.
            self._database.close()
            if again:
                raise ConflictError(str(error)) from error
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise UnavailableError(str(error)) from error
            raise
        finally:
            _leave_nothing_open(connection)


_CONFLICTS = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


def _leave_nothing_open(connection: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.Error):
        if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("rollback")


class PostgresLedger:
    def __init__(self, connection: psycopg.Connection[Any], shards: int) -> None:
        self._connection, self._shards = connection, shards
        self._agents: dict[str, AgentRecord] = {}
        self._settled: list[Effect] = []
        self._begun = False
        self.committing = False

    def _run(
        self, queries: Iterable[Query], *, commit: bool = False, meanwhile: Callable[[], None] | None = None
    ) -> list[Cursor]:
        """Send the queries and wait once. Postgres works at the first while the next is still being made."""
        cursors: list[Cursor] = []
        with self._connection.pipeline():
            if not self._begun:
                self._connection.execute("begin")
                self._begun = True
            for query, parameters in queries:
                cursor = self._connection.cursor(row_factory=dict_row)
                cursors.append(cursor.execute(query, parameters))
            if commit:
                self.committing = True
                self._connection.execute("commit")
            if meanwhile:
                meanwhile()
        return cursors

    def load(self, call_ids: Collection[str], event_ids: Collection[str], queue_ids: Collection[str]) -> Loaded:
        """Locks first, then looks for replays: whoever waited for the lock sees what its holder has recorded."""
        queries: list[Query] = [(statements.LOCK_CALLS, [list(call_ids)])]
        if event_ids:
            queries.append((statements.KNOWN_EVENTS, [list(event_ids)]))
        if queue_ids:
            queries.append((statements.LIMITS, [list(queue_ids)]))
        results = iter(self._run(queries))
        records = {row["id"]: codec.record_from_row(row) for row in next(results)}
        if missing := [call_id for call_id in call_ids if call_id not in records]:
            records |= self._unshelved(missing)
        known = next(results) if event_ids else ()
        limits = next(results) if queue_ids else ()
        return Loaded(
            {call_id: records.get(call_id) or CallRecord(call_id) for call_id in call_ids},
            {row["id"]: Known(row["call_id"], row["fingerprint"]) for row in known},
            {row.pop("id"): Limits(**row) for row in limits},
        )

    def _unshelved(self, call_ids: Sequence[str]) -> dict[str, CallRecord]:
        (rows,) = self._run([(statements.UNSHELVE, [call_ids])])
        records = {row["id"]: codec.record_from_row(row) for row in rows}
        if records:
            self._run(shelf.recount(list(records), -1))
        return records

    def shelve(self, before: datetime, limit: int) -> int:
        (rows,) = self._run([(statements.TO_SHELVE, {"before": before, "limit": limit})])
        found = rows.fetchall()
        if not found:
            return 0
        call_ids = [row["id"] for row in found]
        months = shelf.months((row["initiated_at"] for row in found), before)
        makes: list[Query] = [(shelf.MAKE_CALL_MONTH, [month]) for month in months]
        self._run([*makes, (statements.SHELVE, [call_ids]), *shelf.recount(call_ids, 1)], commit=True)
        return len(found)

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]:
        (rows,) = self._run([(statements.LOGS, [list(call_ids)])])
        logs: dict[str, list[EventRow]] = defaultdict(list)
        for row in rows:
            logs[row["call_id"]].append(codec.event_from_row(row))
        return logs

    def due_timers(self, now: datetime, limit: int) -> Mapping[str, set[TimerKind]]:
        (rows,) = self._run([(statements.DUE_TIMERS, {"kinds": list(TimerKind), "now": now, "limit": limit})])
        due: dict[str, set[TimerKind]] = defaultdict(set)
        for row in rows:
            due[row["call_id"]].add(TimerKind(row["kind"]))
        return due

    def waiting_calls(self, now: datetime, queue_ids: Collection[str] | None, limit: int) -> Sequence[str]:
        queues = None if queue_ids is None else list(queue_ids)
        (rows,) = self._run([(statements.WAITING_CALLS, {"now": now, "queues": queues, "limit": limit})])
        return [row["id"] for row in rows]

    def routing(self, queue_ids: Collection[str]) -> Mapping[str, Routing]:
        (rows,) = self._run([(statements.ROUTING, [list(queue_ids)])])
        return {row.pop("id"): Routing(Strategy(row.pop("strategy")), **row) for row in rows}

    def settle(self, effects: Sequence[Effect]) -> None:
        queries = _effects(effects)
        self._settled += effects
        if queries:
            self._note_agents(queries, self._run(queries))

    def _note_agents(self, queries: Sequence[Query], results: Sequence[Cursor]) -> None:
        """The floor is told of every agent that the transaction moved, settled early or with all the rest."""
        for (query, _), result in zip(queries, results, strict=True):
            if query in (statements.RELEASE_AGENTS, statements.ENGAGE_AGENTS):
                self._agents |= {row["id"]: codec.agent_from_row(row) for row in result}

    def claim_agent(self, call: Call, search: Search, strategy: Strategy, at: datetime) -> str | None:
        parameters = {
            "call_id": call.id,
            "queue_id": search.queue_id,
            "language": call.language,
            "but_for": list(search.but_for),
            "at": at,
        }
        for claim in claims.CLAIM_AGENT[strategy]:
            (rows,) = self._run([(claim, parameters)])
            if row := rows.fetchone():
                return row["id"]
        return None

    def write(self, changes: Changes, now: datetime, meanwhile: Callable[[], None]) -> Written:
        queries: list[Query] = []
        writes = _writes(changes, now, outbox.tell(changes, self._settled, now, self._shards))
        results = self._run(_kept(writes, queries), commit=True, meanwhile=meanwhile)
        positions: dict[str, int] = {}
        transaction: int | None = None
        self._note_agents(queries, results)
        for (query, _), result in zip(queries, results, strict=True):
            if query is statements.INSERT_EVENTS:
                positions = {row["id"]: row["position"] for row in result}
            elif query is outbox.TELL:
                transaction = next(result)["txid"]
        return Written(positions, list(self._agents.values()), transaction)


def _json(rows: Iterable[object]) -> list[str]:
    return [orjson.dumps(list(rows)).decode()]


def _kept(queries: Iterable[Query], kept: list[Query]) -> Iterator[Query]:
    for query in queries:
        kept.append(query)
        yield query


def _writes(changes: Changes, now: datetime, telling: Iterator[Query]) -> Iterator[Query]:
    """Made one by one, as they are sent."""
    yield from _calls(changes, now)
    yield from _events(changes)
    yield from _timers(changes)
    yield from telling
    yield from _effects(changes.effects)


def _calls(changes: Changes, now: datetime) -> Iterator[Query]:
    fresh = [codec.call_to_json(record, now) for record in changes.records if not record.exists]
    known = [codec.call_to_json(record, now) for record in changes.records if record.exists]
    if fresh:
        yield statements.INSERT_CALLS, _json(fresh)
    if known:
        yield statements.UPDATE_CALLS, _json(known)


def _events(changes: Changes) -> Iterator[Query]:
    if changes.recorded:
        yield statements.INSERT_EVENTS, _json(codec.event_to_json(row) for row in changes.recorded)
    if changes.restated:
        rows = (
            {
                "id": row.event.id,
                "at": row.event.at,
                "state": row.state,
                "version": row.version,
                "reason": row.reason,
                "failed_at": row.failed_at,
                "redriven_at": row.redriven_at,
                "attempts": row.attempts,
            }
            for row in changes.restated
        )
        yield statements.RESTATE_EVENTS, _json(rows)


def _timers(changes: Changes) -> Iterator[Query]:
    if changes.disarmed:
        yield statements.DISARM_TIMERS, _json({"call_id": call_id, "kind": kind} for call_id, kind in changes.disarmed)
    if changes.armed:
        rows = (
            {"call_id": call_id, "kind": kind, "due_at": due_at} for (call_id, kind), due_at in changes.armed.items()
        )
        yield statements.ARM_TIMERS, _json(rows)


def _effects(effects: Sequence[Effect]) -> list[Query]:
    """Releases before engagements: a call lets go of one agent before it takes the next."""
    releases = [effect for effect in effects if effect.status not in ENGAGED]
    engagements = {
        effect.agent_id: effect
        for effect in sorted(effects, key=lambda effect: effect.since)
        if effect.status in ENGAGED
    }
    queries: list[Query] = []
    if releases:
        queries.append((statements.RELEASE_AGENTS, _json(releases)))
    if engagements:
        queries.append((statements.ENGAGE_AGENTS, _json(engagements.values())))
    return queries
