"""How the system is, in one statement: who is alive, what is owed, what is late, what was given up."""

import time
from typing import LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.recording.dead_letters import DEAD
from shared.usecases.reading.health import Vitals

# What agents' time has not followed yet, counted no further than to say that it is much. In the order of its index:
# else a planner that does not know how little is new may walk over the log.
UNFOLLOWED: LiteralString = """
select count(*) from (
    select from events where txid >= (select through from agent_time_progress) order by txid limit 20000
) new
"""
_VITALS: LiteralString = f"""
select
    (select count(*) from heartbeats where name = 'sweep' and alive_until > now()) as sweeps,
    (select count(*) from leases where expires_at > now()) as relays,
    (select count(*) from outbox where failed_at is null) as owed,
    (select coalesce(extract(epoch from now() - min(received_at)), 0)::float8 from events
     where txid = (select min(txid) from outbox where failed_at is null)) as outbox_age,
    (select coalesce(extract(epoch from now() - min(due_at)), 0)::float8 from timers
     where due_at < now()) as timers_late,
    (select count(*) from ({DEAD}) listed) as dead_letters,
    ({UNFOLLOWED}) as unfollowed,
    (select count(*) from connections where expires_at > now()) as connections
"""


def read_vitals(database: Database) -> Vitals:
    """Raises `UnavailableError`."""
    connection = database.connection()
    begun = time.perf_counter()
    with available(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_VITALS).fetchone()
    assert row is not None, "a select without a table has one row"
    return Vitals(milliseconds=(time.perf_counter() - begun) * 1000, **row)
