"""Reads the state of the system in one statement."""

import time

from psycopg.rows import dict_row

from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.recording.dead_letters import DEAD
from shared.usecases.reading.health import Vitals

_SQL = load_queries(__file__, dead_letters=DEAD)
UNFOLLOWED = _SQL["unfollowed"]


def read_vitals(database: Database) -> Vitals:
    """Raises `UnavailableError`."""
    connection = database.connection()
    begun = time.perf_counter()
    with available(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["vitals"]).fetchone()
    assert row is not None, "a select without a table has one row"
    return Vitals(milliseconds=(time.perf_counter() - begun) * 1000, **row)
