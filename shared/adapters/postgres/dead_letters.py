"""What was given up: parked events whose grace ended, and announcements that reached nobody."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.adapters.postgres import codec
from shared.adapters.postgres.connection import Database, available
from shared.contracts.dead_letters import DeadLetterView, as_sent
from shared.usecases.reads import AfterLetter
from shared.usecases.redrive import Letter

_DEAD = """
select * from (
    select 'event' as kind, e.failed_at as given_up_at, e.attempts as tries, e.reason as why, e.*,
        coalesce(c.queue_id, e.data ->> 'queue_id') as letter_queue_id
    from events e join calls c on c.id = e.call_id
    where e.state = 'dead'
    union all
    select 'announcement', o.failed_at, o.attempts, 'Told to nobody: no relay took it.', e.*, c.queue_id
    from outbox o join events e on e.id = o.event_id join calls c on c.id = e.call_id
    where o.failed_at is not null
) letters
"""
_PAGE = f"""
{_DEAD}
where (%(queues)s::text[] is null or letter_queue_id = any(%(queues)s))
  and (%(after_time)s::timestamptz is null
       or (given_up_at, kind, id) < (%(after_time)s, %(after_kind)s, %(after_id)s))
order by given_up_at desc, kind desc, id desc limit %(limit)s
"""
_NAMED = f"""
select kind, id, call_id from ({_DEAD}) named where id = any(%s) order by given_up_at, id
"""
_OLDEST = f"""
select kind, id, call_id from ({_DEAD}) oldest where given_up_at < %s order by given_up_at, id limit %s
"""
_HOW_MANY = """
select (select count(*) from events where state = 'dead' and failed_at < %(before)s)
     + (select count(*) from outbox where failed_at < %(before)s)
"""
# With new transaction ids: a feed that has passed the old ones must see the event again.
_REQUEUE = """
with owed as (
    update outbox set failed_at = null, attempts = 0, next_attempt_at = %s,
        txid = pg_current_xact_id()::text::bigint
    where event_id = any(%s) and failed_at is not null
    returning event_id
)
update events e set txid = pg_current_xact_id()::text::bigint from owed where e.id = owed.event_id returning e.id
"""


class PostgresDeadLetters:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, queues: Sequence[str] | None, after: AfterLetter | None, limit: int) -> list[DeadLetterView]:
        parameters = {
            "queues": None if queues is None else list(queues),
            "after_time": after and after.failed_at,
            "after_kind": after and after.kind,
            "after_id": after and after.id,
            "limit": limit,
        }
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            return [_view(row) for row in cursor.execute(_PAGE, parameters)]

    def named(self, ids: Sequence[str]) -> list[Letter]:
        with available():
            return [Letter(*row) for row in self._database.connection().execute(_NAMED, [list(ids)])]

    def oldest(self, before: datetime, limit: int) -> list[Letter]:
        with available():
            return [Letter(*row) for row in self._database.connection().execute(_OLDEST, [before, limit])]

    def count(self, before: datetime) -> int:
        with available():
            row = self._database.connection().execute(_HOW_MANY, {"before": before}).fetchone()
        assert row is not None, "a select without a table has one row"
        return row[0]

    def requeue(self, ids: Sequence[str], now: datetime) -> set[str]:
        with available():
            return {row[0] for row in self._database.connection().execute(_REQUEUE, [now, list(ids)])}


def _view(row: dict[str, Any]) -> DeadLetterView:
    event = codec.event_from_row(row).event
    return DeadLetterView.model_construct(
        id=event.id,
        kind=row["kind"],
        call_id=event.call_id,
        queue_id=row["letter_queue_id"],
        type=event.name,
        reason=row["why"],
        failed_at=row["given_up_at"],
        attempts=row["tries"],
        body=as_sent(event),
    )
