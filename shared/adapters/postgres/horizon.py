"""Where a feed may resume: the one definition of `position`, for snapshots, for sockets and for the relay.

The log's own positions will not do: a transaction may take the lower transaction id and yet the higher place in the
log, so "all below the highest place seen" would skip the one that commits later. Everything below this transaction id
is committed and, where the floor had to be told, has been told.
"""

from typing import Any

import psycopg

# `next` is the first transaction id not given out yet: a position beyond it comes from another database.
HORIZON = """
select least(
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    (select min(txid) from outbox where failed_at is null)
) as position, pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next
"""


def position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(HORIZON).fetchone()
    assert row is not None, "a select without a table has one row"
    return row[0]
