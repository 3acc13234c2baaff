"""The feed's position: a transaction id below which everything is committed and told.

The order of arrival (`events.position`) would not do: a transaction may take a lower number and commit later.
"""

from typing import Any

import psycopg

# `next` is what the cluster will give out next: a position beyond it comes from somewhere else.
HORIZON = """
select least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
             (select min(txid) from outbox where failed_at is null)) as position,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next
"""


def position(connection: psycopg.Connection[Any]) -> int:
    """Read it in the snapshot of what is read with it, or before: never after."""
    row = connection.execute(HORIZON).fetchone()
    assert row, "a select without a from always has its row"
    return int(row[0])
