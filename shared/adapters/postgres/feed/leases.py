"""Finds shards without a relay."""

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
        """Shards whose lease has expired or has the token `after`. Raises `UnavailableError`."""
        with available():
            rows = self._database.connection().execute(_VACANT, {"shards": list(shards), "after": after})
            return [shard for (shard,) in rows]
