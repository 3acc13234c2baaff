"""Work of the sweep besides timers: publishing again, removing expired connections and months, heartbeats."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres.connection import ALLOW_BACKGROUND, Database, available
from shared.adapters.postgres.figures import archive
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.recording import outbox
from shared.adapters.postgres.sweep.agent_time import FORGET_AGENT_MONTH, PostgresAgentTimeStore
from shared.adapters.postgres.sweep.heartbeats import Heartbeats
from shared.domain.deadlines import TimerKind
from shared.usecases.recording.notices import TransactionNotices

MAX_ATTEMPTS = 60  # the last ones a minute apart: a row is dead after about an hour
LONGEST_BACKOFF_SECONDS = 60
BATCH = 100  # transactions; each may have hundreds of events

_SQL = load_queries(__file__)
_TIDY = "delete from connections where expires_at < %s"  # after a minute, in which the relay closes their sockets
TIDY_AFTER = timedelta(minutes=1)


class PostgresHousekeeping:
    """`wake` starts another sweep, and `holder` names this one. `keep_months` 0 keeps everything."""

    def __init__(
        self,
        database: Database,
        holder: str,
        wake: Callable[[], None],
        keep_months: int = 0,
    ) -> None:
        self._database, self._holder, self._wake = database, holder, wake
        self._keep_months = keep_months
        self._heartbeats = Heartbeats(database, "sweep")
        self.agent_time_store = PostgresAgentTimeStore(database)

    def next_due(self, after: datetime) -> datetime | None:
        with available():
            row = self._database.connection().execute(_SQL["next_due"], [list(TimerKind), after]).fetchone()
        return row[0] if row else None

    def tidy(self, now: datetime) -> None:
        self._in_background(_TIDY, [now - TIDY_AFTER])
        self._in_background(archive.MAKE_EVENT_MONTHS, {"now": now})
        if self._keep_months:
            kept_since = archive.kept_since(now, self._keep_months)
            self._in_background(archive.FORGET_MONTH, [kept_since])
            self._in_background(FORGET_AGENT_MONTH, [kept_since])

    def _in_background(self, query: LiteralString, parameters: Sequence[Any] | Mapping[str, Any]) -> None:
        """Run a statement in a transaction of its own, so that its locks are short."""
        connection = self._database.connection()
        with available(), connection.background(), connection.transaction():
            connection.execute(ALLOW_BACKGROUND)
            connection.execute(query, parameters)

    def beat(self, now: datetime) -> None:
        self._heartbeats.beat(self._holder, now)

    def resign(self, now: datetime) -> None:
        if not self._heartbeats.others_alive(self._holder, now):
            self._wake()
        self._heartbeats.resign(self._holder, now)

    def take_overdue(self, now: datetime) -> Sequence[TransactionNotices]:
        """Postpones the rows first, so that a row that cannot be published does not delay the others."""
        connection = self._database.connection()
        with available(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            overdue = cursor.execute(_SQL["overdue"], [now, BATCH]).fetchall()
            if not overdue:
                return ()
            txids, shards = [row["txid"] for row in overdue], [row["shard"] for row in overdue]
            times = [now + _backoff(row["attempts"]) for row in overdue]
            cursor.execute(_SQL["count_attempts"], [MAX_ATTEMPTS, now, txids, shards, times])
            parameters = outbox.content_parameters(overdue)
            contents = [cursor.execute(query, parameters).fetchall() for query in outbox.CONTENTS]
        return outbox.notices_of(overdue, *contents)


def _backoff(attempts: int) -> timedelta:
    """Doubling, bounded, with jitter, so that rows of a backlog are not due at the same time."""
    seconds = min(2.0 ** min(attempts, 10), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))
