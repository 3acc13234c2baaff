"""The rollups held against the calls on the shelf, and made of them anew."""

from typing import Any

import psycopg

from shared.adapters.postgres import rollups


def differing(connection: psycopg.Connection[Any]) -> int:
    """How many rows differ from what the calls give; 0 where all is well."""
    row = connection.execute(rollups.DIFFERING).fetchone()
    assert row is not None, "a count has a row"
    return row[0] if not isinstance(row, dict) else row["differing"]


def rebuild(connection: psycopg.Connection[Any]) -> int:
    """Make all rollups anew, in one transaction that nobody's counting comes between; how many rows there are."""
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute(rollups.LOCK)
        connection.execute("delete from call_rollups")
        return connection.execute(rollups.REBUILD).rowcount
