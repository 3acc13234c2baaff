"""The relay's side of the system of record: who listens, what is owed, and whose shard it is."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres.connection import OUTGROWN, available, connect_async
from shared.adapters.postgres.horizon import HORIZON
from shared.adapters.postgres.recording import outbox
from shared.contracts.feed import OutboxId, Published
from shared.usecases.access import Principal, Role
from shared.usecases.feed.ports import Group, Subscribers

# Who is subscribed to these topics, and how far all is told: a flush's one round trip, so that a new subscription is
# honoured at once. What commits after this moment is not below the position.
_AUDIENCE: LiteralString = (
    "with here as ("
    + HORIZON
    + """), listening as (
    select s.connection_id, c.role, c.queues, array_agg(s.topic order by s.topic) as topics
    from subscriptions s join connections c on c.id = s.connection_id
    where s.topic = any(%s) and c.expires_at > now()
    group by 1, 2, 3
)
select position, role, queues, topics, array_agg(connection_id) as connection_ids
from here left join listening on true group by 1, 2, 3, 4
"""
)
_QUEUES = "select id, queue_id from calls where id = any(%s) and archive_time = 'infinity' and status is not null"
_EXPIRED = "select id from connections where expires_at <= now() limit 100"
# Where there are fewer shards than there were, the rows of those that are gone have a relay too.
_PENDING = """
select * from outbox where failed_at is null and shard %% %s = %s and (txid, shard) > (%s, %s)
order by txid, shard limit %s
"""
# Only for whoever is in charge: a relay that was away without knowing it strikes nothing off. It does not wait for the
# disk: what a crash of Postgres brings back is only told twice.
_CLEAR = """
with lease as (select from leases where shard = %(shard)s and fencing_token = %(fence)s), cleared as (
    delete from outbox o using unnest(%(txids)s::bigint[], %(of)s::smallint[]) as told (txid, shard)
    where (o.txid, o.shard) = (told.txid, told.shard) and o.shard %% %(shards)s = %(shard)s
      and exists (select from lease)
)
select exists (select from lease) as held, set_config('synchronous_commit', 'off', true)
"""
_ACQUIRE = """
insert into leases (shard, fencing_token, expires_at)
values (%(shard)s, nextval('fencing_tokens'), now() + make_interval(secs => %(seconds)s))
on conflict (shard) do update set fencing_token = nextval('fencing_tokens'), expires_at = excluded.expires_at
where leases.expires_at <= now() or leases.fencing_token = %(after)s
returning fencing_token
"""
_RENEW = """
update leases set expires_at = now() + make_interval(secs => %(seconds)s)
where shard = %(shard)s and fencing_token = %(fence)s returning fencing_token
"""
_RELEASE = "delete from leases where shard = %(shard)s and fencing_token = %(fence)s"


class PostgresRelayStore:
    """Two connections: what must be fast does not queue behind what must only be done."""

    def __init__(self, url: str, shard: int = 0, shards: int = 1) -> None:
        self._flushing, self._tidying = _Line(url), _Line(url)
        self._shard, self._shards = shard, shards
        self._fence: int | None = None

    async def subscribers(self, topics: Collection[str]) -> Subscribers:
        rows = await self._flushing.rows(_AUDIENCE, [list(topics)])
        groups = [
            Group(frozenset(row["topics"]), _bearer(row["role"], row["queues"]), row["connection_ids"])
            for row in rows
            if row["role"]
        ]
        return Subscribers(rows[0]["position"], groups)

    async def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]:
        return {row["id"]: row["queue_id"] for row in await self._flushing.rows(_QUEUES, [list(call_ids)])}

    async def remove(self, connection_id: str) -> None:
        await self._tidying.rows("delete from connections where id = %s", [connection_id])

    async def expired(self) -> Sequence[str]:
        return [row["id"] for row in await self._tidying.rows(_EXPIRED)]

    async def pending(self, after: OutboxId, limit: int) -> Sequence[Published]:
        rows = await self._tidying.rows(_PENDING, [self._shards, self._shard, *after, limit])
        if not rows:
            return []
        asked = outbox.asked(rows)
        contents = [await self._tidying.rows(query, asked) for query in outbox.CONTENTS]
        return [outbox.published(news) for news in outbox.news(rows, *contents)]

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        txids, shards = [txid for txid, _ in outbox_ids], [shard for _, shard in outbox_ids]
        return (await self._tidying.rows(_CLEAR, self._mine(txids=txids, of=shards)))[0]["held"]

    async def acquire(self, seconds: float, after: int | None) -> int | None:
        rows = await self._tidying.rows(_ACQUIRE, self._mine(seconds=seconds, after=after))
        self._fence = rows[0]["fencing_token"] if rows else None
        return self._fence

    async def renew(self, seconds: float) -> bool:
        return bool(await self._tidying.rows(_RENEW, self._mine(seconds=seconds)))

    async def release(self) -> None:
        await self._tidying.rows(_RELEASE, self._mine())

    def _mine(self, **more: object) -> Mapping[str, object]:
        return {"shard": self._shard, "shards": self._shards, "fence": self._fence, **more}

    async def close(self) -> None:
        await self._flushing.close()
        await self._tidying.close()


class _Line:
    """A connection, opened at first use and again when it broke, once for all who need it then."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._connecting = asyncio.Lock()

    async def connection(self) -> psycopg.AsyncConnection[Any]:
        async with self._connecting:
            if self._connection is None or self._connection.closed or self._connection.broken:
                self._connection = await connect_async(self._url)
            return self._connection

    async def rows(self, query: LiteralString, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[DictRow]:
        """Raises `UnavailableError`."""
        with available():
            connection = await self.connection()
            async with connection.cursor(row_factory=dict_row) as cursor:
                try:
                    await cursor.execute(query, parameters)
                except OUTGROWN:
                    await connection.close()
                    raise
                return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


_BEARERS: dict[tuple[Role, tuple[str, ...]], Principal] = {}


def _bearer(role: Role, queues: Sequence[str]) -> Principal:
    """The same object for the same rights, whatever the expiry: it is the registry that asks the time."""
    key = role, tuple(queues)
    if key not in _BEARERS:
        _BEARERS[key] = Principal(role, frozenset(queues), expires_at=0)
    return _BEARERS[key]
