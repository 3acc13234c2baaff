"""Where a feed may resume: the one definition of `position`, for snapshots, for sockets and for the relay.

The log's own positions will not do: a transaction may take the lower transaction id and yet the higher place in the
log, so "all below the highest place seen" would skip the one that commits later. Everything below this transaction id
is committed and, where the floor had to be told, has been told.
"""

from collections.abc import Mapping
from typing import Any

import psycopg

# A position from `next` on was another database's; one before `epoch` was this one's, before it was restored.
HORIZON = """
select least(
    horizon_position(),
    (select min(txid) from outbox where failed_at is null)
) as position, next_position() as next, epoch_start() as epoch
"""


def is_ours(here: Mapping[str, Any], since: int) -> bool:
    """Whether a client's position was given out by this database, in this epoch; `here` is a row of `HORIZON`."""
    return here["epoch"] <= since <= here["next"]


def position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(HORIZON).fetchone()
    assert row is not None, "a select without a table has one row"
    return row[0]
