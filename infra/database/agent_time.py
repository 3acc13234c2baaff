"""Agents' time held against the log: each call's words, each agent's spans, each month's sums; and mended.

A database given here should be one of `connections.database`: a statement may take minutes.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import LiteralString

import psycopg

from infra.database.rollups import Month
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.figures import agent_time_sums
from shared.adapters.postgres.sweep.agent_time import PostgresTimeBook
from shared.usecases.sweep.update_agent_time import Turn, settle, settle_agent

A_BATCH = 500
# History moves no agents. What the sweep has not followed yet is no difference.
_CALLS = """
select id from calls c where id > %s and not history and not exists (
    select from events e where e.call_id = c.id and e.txid >= (select through from agent_time_progress)
) order by id limit %s
"""
# Of calls that somebody wrote to since they were chosen: a statement sees what was committed before it.
_WRITTEN_TO = """
select call_id from events where call_id = any(%s) and txid >= (select through from agent_time_progress)
"""
_AGENTS = "select id from agents order by id"
_MONTHS = """
select greatest(month, kept_since), month + interval '1 month' from agent_time_progress, (
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'agent_intervals'::regclass
) known order by 1
"""


def compare(database: Database, *, mend: bool) -> Iterator[list[str]]:
    """Call by call, then agent by agent: names whose spans are not what the log says, as often as they are found out.

    They are mended where that is wanted, each in a transaction that the sweep's following does not come between.
    """
    book, after = PostgresTimeBook(database), ""
    while call_ids := _column(database, _CALLS, [after, A_BATCH]):
        after = call_ids[-1]
        with _turn(book, mend=mend) as turn:
            found = settle(turn, call_ids)
            written_to = _column(database, _WRITTEN_TO, [call_ids]) if found else ()
            yield [agent_id for agent_id, word in found if word.source not in written_to]
    for agent_id in _column(database, _AGENTS):
        with _turn(book, mend=mend) as turn:
            change = settle_agent(turn, agent_id)
            yield [agent_id] if change.gone or change.come else []


@contextmanager
def _turn(book: PostgresTimeBook, *, mend: bool) -> Generator[Turn]:
    with suppress(psycopg.Rollback), book.alone() as turn:  # a session that dies first has undone it as well
        yield turn
        if not mend:
            raise psycopg.Rollback


def months(database: Database) -> list[Month]:
    """That have spans, oldest first."""
    return [Month(*row) for row in database.connection().execute(_MONTHS)]


def differing(database: Database, month: Month) -> int:
    """How many sums of this month are not what its spans give; 0 where all is well."""
    row = database.connection().execute(agent_time_sums.DIFFERING, _asked(month)).fetchone()
    assert row is not None, "a count has a row"
    return row[0]


def rebuild(database: Database, month: Month) -> None:
    """Make this month's sums anew, in one transaction that the sweep's following does not come between, if it was not
    forgotten.
    """
    with PostgresTimeBook(database).alone() as turn:
        if month.beginning < turn.kept_since:
            return
        database.connection().execute(agent_time_sums.EMPTY_MONTH, _asked(month))
        database.connection().execute(agent_time_sums.COUNT_MONTH, _asked(month))


def _asked(month: Month) -> dict[str, datetime]:
    return {"beginning": month.beginning, "ending": month.ending}


def _column(database: Database, query: LiteralString, asked: Sequence[object] = ()) -> list[str]:
    return [row[0] for row in database.connection().execute(query, asked).fetchall()]
