"""Compares agent time with the logs: causes per call, intervals per agent, sums per month. Repairs differences.

Statements may take minutes: pass a database of `connections.database`.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import LiteralString

import psycopg

from infra.database.rollups import Month
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.figures import agent_time_sums
from shared.adapters.postgres.sweep.agent_time import PostgresAgentTimeStore
from shared.usecases.sweep.update_agent_time import AgentTimeBatch, rebuild_agent, update_calls

CALLS_PER_BATCH = 500
# Imported calls move no agents. Calls with events that the sweep has not included yet are left out.
_CALLS = """
select id from calls c where id > %s and not history and not exists (
    select from events e where e.call_id = c.id and e.txid >= (select through from agent_time_progress)
) order by id limit %s
"""
# Calls that were written to since they were chosen: a statement sees what was committed before it.
_CHANGED_SINCE = """
select call_id from events where call_id = any(%s) and txid >= (select through from agent_time_progress)
"""
_AGENTS = "select id from agents order by id"
_MONTHS = """
select greatest(month, kept_since), month + interval '1 month' from agent_time_progress, (
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'agent_intervals'::regclass
) known order by 1
"""


def compare(database: Database, *, repair: bool) -> Iterator[list[str]]:
    """Batches of ids of agents whose intervals differ from the logs: by call, then by agent. An id can occur twice.

    With `repair`, writes the intervals that the logs give, in transactions during which the sweep does not update agent
    time.
    """
    agent_time_store, after = PostgresAgentTimeStore(database), ""
    while call_ids := _column(database, _CALLS, [after, CALLS_PER_BATCH]):
        after = call_ids[-1]
        with _turn(agent_time_store, repair=repair) as batch:
            found = update_calls(batch, call_ids)
            changed = _column(database, _CHANGED_SINCE, [call_ids]) if found else ()
            yield [agent_id for agent_id, word in found if word.source not in changed]
    for agent_id in _column(database, _AGENTS):
        with _turn(agent_time_store, repair=repair) as batch:
            change = rebuild_agent(batch, agent_id)
            yield [agent_id] if change.removed or change.added else []


@contextmanager
def _turn(agent_time_store: PostgresAgentTimeStore, *, repair: bool) -> Generator[AgentTimeBatch]:
    with (
        suppress(psycopg.Rollback),
        agent_time_store.empty_batch() as batch,
    ):  # a session that dies first has rolled back too
        yield batch
        if not repair:
            raise psycopg.Rollback


def months(database: Database) -> list[Month]:
    """The months that have intervals, oldest first."""
    return [Month(*row) for row in database.connection().execute(_MONTHS)]


def differing(database: Database, month: Month) -> int:
    """How many sums of this month differ from its intervals."""
    row = database.connection().execute(agent_time_sums.DIFFERING, _parameters(month)).fetchone()
    assert row is not None, "a count has a row"
    return row[0]


def rebuild(database: Database, month: Month) -> None:
    """Recompute this month's sums in one transaction, while the sweep does not update agent time. Skips a dropped
    month.
    """
    with PostgresAgentTimeStore(database).empty_batch() as batch:
        if month.beginning < batch.kept_since:
            return
        database.connection().execute(agent_time_sums.EMPTY_MONTH, _parameters(month))
        database.connection().execute(agent_time_sums.COUNT_MONTH, _parameters(month))


def _parameters(month: Month) -> dict[str, datetime]:
    return {"beginning": month.beginning, "ending": month.ending}


def _column(database: Database, query: LiteralString, parameters: Sequence[object] = ()) -> list[str]:
    return [row[0] for row in database.connection().execute(query, parameters).fetchall()]
