"""How long news take: from the receipt of what a transaction recorded until every socket that is owed it has it."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

from shared.adapters import clock, metrics
from shared.adapters.metrics import Metric
from shared.adapters.postgres.floor import PostgresFloor
from shared.adapters.redis_channel import RedisChannel
from shared.contracts.feed import Published


class TimedRelay:
    """What a relay hears begins to count, and what it clears has been told. What it found in the outbox is not new,
    and has a figure of its own (`OutboxAge`)."""

    def __init__(self) -> None:
        self._received: dict[int, datetime] = {}

    def hear(self, published: Published) -> None:
        if published.changes:
            self._received[published.transaction] = max(change.event.received_at for change in published.changes)

    def clear(self, transactions: Collection[int]) -> None:
        now = clock.now()
        for transaction in transactions:
            if received := self._received.pop(transaction, None):
                metrics.observe(Metric.COMMIT_TO_SOCKET, (now - received).total_seconds() * 1000)


class TimedFloor(PostgresFloor):
    def __init__(self, timed: TimedRelay, url: str, shard: int, shards: int) -> None:
        super().__init__(url, shard, shards)
        self._timed = timed

    async def clear(self, transactions: Collection[int]) -> bool:
        self._timed.clear(transactions)
        return await super().clear(transactions)


class TimedChannel(RedisChannel):
    def __init__(self, timed: TimedRelay, url: str, shard: int) -> None:
        super().__init__(url, shard)
        self._timed = timed

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[Published]]:
        async with super().listen() as messages:
            yield self._heard(messages)

    async def _heard(self, messages: AsyncIterator[Published]) -> AsyncGenerator[Published]:
        async for published in messages:
            self._timed.hear(published)
            yield published
