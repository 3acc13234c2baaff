"""What the relay reads and writes: subscribers, outbox rows, and the lease of its shard."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres.connection import OUTDATED_PLAN, available, connect_async
from shared.adapters.postgres.horizon import HORIZON
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.recording import outbox
from shared.contracts.feed import OutboxId, OutboxMessage
from shared.usecases.access import Principal, Role
from shared.usecases.feed.ports import SubscriberGroup, Subscribers

_SQL = load_queries(__file__, horizon=HORIZON)
_QUEUES = "select id, queue_id from calls where id = any(%s) and archive_time = 'infinity' and status is not null"
_EXPIRED = "select id from connections where expires_at <= now() limit 100"
_RELEASE = "delete from leases where shard = %(shard)s and fencing_token = %(fence)s"


class PostgresRelayStore:
    """Has two connections, so that a flush does not wait for other statements."""

    def __init__(self, url: str, shard: int = 0, shards: int = 1) -> None:
        self._flush_connection, self._other_connection = _KeptConnection(url), _KeptConnection(url)
        self._shard, self._shards = shard, shards
        self._fence: int | None = None

    async def subscribers(self, topics: Collection[str]) -> Subscribers:
        rows = await self._flush_connection.rows(_SQL["subscribers"], [list(topics)])
        groups = [
            SubscriberGroup(frozenset(row["topics"]), _bearer(row["role"], row["queues"]), row["connection_ids"])
            for row in rows
            if row["role"]
        ]
        return Subscribers(rows[0]["position"], groups)

    async def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]:
        return {row["id"]: row["queue_id"] for row in await self._flush_connection.rows(_QUEUES, [list(call_ids)])}

    async def remove(self, connection_id: str) -> None:
        await self._other_connection.rows("delete from connections where id = %s", [connection_id])

    async def expired(self) -> Sequence[str]:
        return [row["id"] for row in await self._other_connection.rows(_EXPIRED)]

    async def pending(self, after: OutboxId, limit: int) -> Sequence[OutboxMessage]:
        rows = await self._other_connection.rows(_SQL["pending"], [self._shards, self._shard, *after, limit])
        if not rows:
            return []
        parameters = outbox.content_parameters(rows)
        contents = [await self._other_connection.rows(query, parameters) for query in outbox.CONTENTS]
        return [outbox.published(notices) for notices in outbox.notices_of(rows, *contents)]

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        txids, shards = [txid for txid, _ in outbox_ids], [shard for _, shard in outbox_ids]
        return (await self._other_connection.rows(_SQL["ack"], self._mine(txids=txids, of=shards)))[0]["held"]

    async def acquire(self, seconds: float, after: int | None) -> int | None:
        rows = await self._other_connection.rows(_SQL["acquire"], self._mine(seconds=seconds, after=after))
        self._fence = rows[0]["fencing_token"] if rows else None
        return self._fence

    async def renew(self, seconds: float) -> bool:
        return bool(await self._other_connection.rows(_SQL["renew"], self._mine(seconds=seconds)))

    async def release(self) -> None:
        await self._other_connection.rows(_RELEASE, self._mine())

    def _mine(self, **more: object) -> Mapping[str, object]:
        return {"shard": self._shard, "shards": self._shards, "fence": self._fence, **more}

    async def close(self) -> None:
        await self._flush_connection.close()
        await self._other_connection.close()


class _KeptConnection:
    """A connection that is opened at first use, and again after it broke. Concurrent callers share it."""

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
                except OUTDATED_PLAN:
                    await connection.close()
                    raise
                return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


_BEARERS: dict[tuple[Role, tuple[str, ...]], Principal] = {}


def _bearer(role: Role, queues: Sequence[str]) -> Principal:
    """The same object for the same rights. The expiry is 0, because the statement checks it."""
    key = role, tuple(queues)
    if key not in _BEARERS:
        _BEARERS[key] = Principal(role, frozenset(queues), expires_at=0)
    return _BEARERS[key]
