"""What was given up: deferred events whose grace ended, and announcements that reached nobody."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.contracts.dead_letters import DeadLetterView, as_sent
from shared.usecases.reading.reads import AfterDeadLetter
from shared.usecases.recording.redrive_dead_letters import Letter

# Without events of a call that was forgotten: nobody could redrive them, and they go with their month of the log.
DEAD: LiteralString = """
select * from (
    select 'event' as kind, e.id as letter_id, e.failed_at as given_up_at, e.attempts as tries, e.reason as why, e.*,
        coalesce(c.queue_id, e.data ->> 'queue_id') as letter_queue_id, null::text[] as letter_agents
    from events e join calls c on c.id = e.call_id
    where e.state = 'dead'
    union all
    select 'announcement', coalesce(e.id, 'transaction-' || o.txid), o.failed_at, o.attempts,
        'Told to nobody: no relay took it.', e.*, c.queue_id, o.agents
    from outbox o
    left join events e on e.txid = o.txid and e.call_id = any(o.calls) and e.state in ('applied', 'void')
    left join calls c on c.id = e.call_id
    where o.failed_at is not null
) letters
"""
_PAGE = f"""
{DEAD}
where (%(queues)s::text[] is null or letter_queue_id = any(%(queues)s))
  and (%(after_time)s::timestamptz is null
       or (given_up_at, kind, letter_id) < (%(after_time)s, %(after_kind)s, %(after_id)s))
order by given_up_at desc, kind desc, letter_id desc limit %(limit)s
"""
_NAMED = f"""
select kind, letter_id, call_id from ({DEAD}) named where letter_id = any(%s) order by given_up_at, letter_id
"""
_OLDEST = f"""
select kind, letter_id, call_id from ({DEAD}) oldest where given_up_at < %s order by given_up_at, letter_id limit %s
"""
_HOW_MANY = f"select count(*) from ({DEAD}) listed where given_up_at < %(before)s"
# The rows behind these letters.
_OWED = """
select distinct o.txid, o.shard from outbox o
left join events e on e.txid = o.txid and e.call_id = any(o.calls) and e.state in ('applied', 'void')
where o.failed_at is not null and coalesce(e.id, 'transaction-' || o.txid) = any(%s)
"""
# With a new transaction id, each its own: a feed that has passed the old one must see the events again.
_REQUEUE = """
with owed as (
    update outbox set failed_at = null, attempts = 0, next_attempt_at = %s, txid = this_position()
    where txid = %s and shard = %s and failed_at is not null
    returning calls
), moved as (
    update events e set txid = this_position() from owed
    where e.txid = %s and e.call_id = any(owed.calls) and e.state in ('applied', 'void')
    returning e.id
)
select id from moved union all select 'transaction-' || %s from owed where not exists (select from moved)
"""


class PostgresDeadLetters:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, queues: Sequence[str] | None, after: AfterDeadLetter | None, limit: int) -> list[DeadLetterView]:
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
            connection = self._database.connection()
            owed = connection.execute(_OWED, [list(ids)]).fetchall()
            return {
                row[0] for txid, shard in owed for row in connection.execute(_REQUEUE, [now, txid, shard, txid, txid])
            }


def _view(row: dict[str, Any]) -> DeadLetterView:
    event = row_mapping.event_from_row(row).event if row["id"] else None
    return DeadLetterView.model_construct(
        id=row["letter_id"],
        kind=row["kind"],
        call_id=row["call_id"],
        queue_id=row["letter_queue_id"],
        type=event.name if event else "agent_status_changed",
        reason=row["why"],
        failed_at=row["given_up_at"],
        attempts=row["tries"],
        body=as_sent(event) if event else {"agents": row["letter_agents"]},
    )
