"""What a relay leaves in the log of each transaction that it told, and how long that took: from the receipt of what was
recorded until every socket that is owed it has it."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from shared.adapters import clock
from shared.adapters.postgres.feed.relay_store import PostgresRelayStore
from shared.adapters.redis.subscriber import RedisSubscriber
from shared.adapters.telemetry import json_log, metrics
from shared.adapters.telemetry.metrics import Metric
from shared.adapters.telemetry.recording_log import ids
from shared.contracts.feed import OutboxId, Published
from shared.domain.fast import fast_frozen

_log = logging.getLogger(__name__)


@fast_frozen
class _Heard:
    """`words` are for the log."""

    calls: int
    words: Mapping[str, object]
    received: datetime | None


class RelayLog:
    """What a relay hears begins to count, and what it clears has been told. What it found in the outbox is not new, and
    its time has a figure of its own (`OutboxAge`)."""

    def __init__(self) -> None:
        self._heard: dict[OutboxId, _Heard] = {}

    def hear(self, published: Published) -> None:
        received = max((change.event.received_at for change in published.changes), default=None)
        self._heard[published.outbox_id] = _heard(published, received)

    def find(self, published: Published) -> None:
        self._heard.setdefault(published.outbox_id, _heard(published, None))

    def ack(self, outbox_ids: Collection[OutboxId]) -> None:
        now = clock.now()
        for outbox_id in outbox_ids:
            if heard := self._heard.pop(outbox_id, None):
                _log.info("told %d calls", heard.calls, extra=heard.words)
                if heard.received:
                    metrics.observe(Metric.COMMIT_TO_SOCKET, (now - heard.received).total_seconds() * 1000)


def _heard(published: Published, received: datetime | None) -> _Heard:
    calls = {change.call.id for change in published.changes}
    told = {"call_id": ids(calls)} if calls else {}  # what agents do may concern no call
    return _Heard(len(calls), told | json_log.traces(published.traceparent, *published.traces.values()), received)


class LoggedRelayStore(PostgresRelayStore):
    def __init__(self, told: RelayLog, url: str, shard: int, shards: int) -> None:
        super().__init__(url, shard, shards)
        self._told = told

    async def pending(self, after: OutboxId, limit: int) -> Sequence[Published]:
        owed = await super().pending(after, limit)
        for published in owed:
            self._told.find(published)
        return owed

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        self._told.ack(outbox_ids)
        return await super().ack(outbox_ids)


class LoggedSubscriber(RedisSubscriber):
    def __init__(self, told: RelayLog, url: str, shard: int) -> None:
        super().__init__(url, shard)
        self._told = told

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[Published]]:
        async with super().listen() as messages:
            yield self._heard(messages)

    async def _heard(self, messages: AsyncIterator[Published]) -> AsyncGenerator[Published]:
        async for published in messages:
            self._told.hear(published)
            yield published
