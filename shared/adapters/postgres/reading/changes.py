"""What changed since a position, read from the log for clients who poll."""

from collections.abc import Collection
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import horizon, row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.reading import agents_seen
from shared.contracts.views import CallView, Departure
from shared.usecases.reading.poll_changes import Found

# Who polls reads the truth itself, so what the floor has not been told yet does not hold this position back. A log that
# never forgot a month reaches back to before its first event.
_HERE: LiteralString = f"""
select {horizon.OVER} as position, next_position() as next, epoch_start() as epoch,
    {agents_seen.GONE} as gone,
    (select min(txid) from events where (select kept_since > '-infinity' from call_retention)) as earliest
"""
_CALLS = """
select * from calls c
where c.status is not null and (%(all)s or c.queue_id = any(%(queues)s))
  and c.id in (select call_id from events where txid >= %(since)s and state in ('applied', 'void'))
limit %(limit)s
"""
# Calls of these queues that went on to another one, or turn out to have begun there. What only waited to happen moved
# no call, and has no version.
_LEFT = """
select c.id, c.version from calls c
where not %(all)s and c.queue_id <> all(%(queues)s)
  and c.id in (select call_id from events where txid >= %(since)s and name in ('call_transferred', 'call_initiated'))
  and exists (
      select from events p where p.call_id = c.id and p.data ->> 'queue_id' = any(%(queues)s) and p.version is not null
  )
limit %(limit)s
"""
# By the transaction that wrote the row as it stands. Postgres keeps 32 bits of it there: the others are the newest
# that do not make it later than now. Or whose call may have come in sight, or gone out of it.
_NEXT: LiteralString = "(select pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
_AGENTS: LiteralString = f"""
{agents_seen.AGENTS} and (
    {_NEXT} - (({_NEXT} - a.xmin::text::bigint) & 4294967295) >= %(since)s - epoch_offset()
    or not %(all)s and a.call_id in (
        select call_id from events where txid >= %(since)s and name in ('call_transferred', 'call_initiated')
    )
)
order by a.id
"""


class PostgresChanges:
    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, position: int, queues: Collection[str] | None, limit: int) -> Found:
        """The position first: what is committed while the rest is read comes again, and never not at all."""
        asked = {**agents_seen.by(queues), "since": position, "limit": limit + 1}
        connection = self._database.connection()
        with available(self._database), connection.pipeline():
            here, *rest = [_cursor(connection).execute(query, asked) for query in (_HERE, _CALLS, _LEFT, _AGENTS)]
        place = here.fetchone()
        assert place, "a select without a table has one row"
        calls, left, agents = (cursor.fetchall() for cursor in rest)
        return Found(
            place["position"],
            [CallView.of(row_mapping.call_from_row(row)) for row in calls],
            [Departure.trusted(id=row["id"], version=row["version"]) for row in left],
            [row_mapping.agent_view(row_mapping.agent_from_row(row)) for row in agents],
            is_complete=_reaches(place, position) and not place["gone"] and max(len(calls), len(left)) <= limit,
        )


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[DictRow]:
    return connection.cursor(row_factory=dict_row)


def _reaches(place: DictRow, since: int) -> bool:
    """One from before the log asks for what is gone."""
    is_logged = place["earliest"] is None or since >= min(place["earliest"], place["position"])
    return is_logged and horizon.is_ours(place, since)
