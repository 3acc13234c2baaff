"""Where a feed may resume: the one definition of `position`, for snapshots, for sockets and for the relay.

The log's own positions will not do: a transaction may take the lower transaction id and yet the higher place in the
log, so "all below the highest place seen" would skip the one that commits later. Everything below this transaction id
is committed and, where the floor had to be told, has been told.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg

# Below which every transaction is over, as long as there is a transaction that a crash cannot undo: what is committed
# is on the disk, but an id that was only given out is forgotten with the crash, and then it is another's.
OVER: LiteralString = """least(
    horizon_position(),
    greatest(epoch_start(), (select max(txid) + 1 from events), (select max(moved_at_position) + 1 from agents))
)"""
# A position from `next` on was another database's; one before `epoch` was this one's, before it was restored.
HORIZON: LiteralString = f"""
select least({OVER}, (select min(txid) from outbox where failed_at is null)) as position,
    next_position() as next, epoch_start() as epoch
"""


def is_ours(here: Mapping[str, Any], since: int) -> bool:
    """Whether a client's position was given out by this database, in this epoch; `here` is a row of `HORIZON`."""
    return here["epoch"] <= since <= here["next"]


def position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(HORIZON).fetchone()
    assert row is not None, "a select without a table has one row"
    return row[0]
