"""Which shards have a relay: for whoever may have to wake one."""

from collections.abc import Collection, Sequence

from shared.adapters.postgres.connection import Database, available

_VACANT = """
select shard from unnest(%(shards)s::smallint[]) as wanted (shard) left join leases using (shard)
where expires_at is null or expires_at <= now() or fencing_token = %(after)s
order by shard
"""


class PostgresLeases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def vacant(self, shards: Collection[int], after: int | None = None) -> Sequence[int]:
        """Of these shards those whose lease has run out, or has this fencing number. Raises `UnavailableError`."""
        with available():
            rows = self._database.connection().execute(_VACANT, {"shards": list(shards), "after": after})
            return [shard for (shard,) in rows]
