"""The position from which a feed can resume, for snapshots, sockets and the relay.

Everything below the position is committed and published. `events.position` cannot serve for this: a transaction may
have a lower transaction id and a higher event position than another, so "all below the highest position seen" would
skip the transaction that commits later.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg

# Every transaction below this has ended. Limited to committed transactions: an id that was only assigned is lost in a
# crash and assigned again.
OVER: LiteralString = """least(
    horizon_position(),
    greatest(epoch_start(), (select max(txid) + 1 from events), (select max(moved_at_position) + 1 from agents))
)"""
# A client's position from `next` on is of another database. One before `epoch` is of this one before it was restored.
HORIZON: LiteralString = f"""
select least({OVER}, (select min(txid) from outbox where failed_at is null)) as position,
    next_position() as next, epoch_start() as epoch
"""


def is_ours(current: Mapping[str, Any], since: int) -> bool:
    """Whether a client's position is of this database and epoch. `current` is a row of `HORIZON`."""
    return current["epoch"] <= since <= current["next"]


def position(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(HORIZON).fetchone()
    assert row is not None, "a select without a table has one row"
    return row[0]
