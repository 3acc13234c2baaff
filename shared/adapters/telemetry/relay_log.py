"""Logs each transaction that a relay has delivered, and measures the time from its receipt to the last connection."""

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
from shared.contracts.feed import OutboxId, OutboxMessage
from shared.domain.fast import fast_frozen

_log = logging.getLogger(__name__)


@fast_frozen
class _Undelivered:
    """A message that is not yet delivered.

    calls: the number of calls.
    log_fields: for the line in the log.
    received_at: when the newest event was received. None for messages from the outbox.
    """

    calls: int
    log_fields: Mapping[str, object]
    received_at: datetime | None


class RelayLog:
    """Measures only messages from the channel. The metric `OutboxAge` covers those from the outbox."""

    def __init__(self) -> None:
        self._undelivered: dict[OutboxId, _Undelivered] = {}

    def received(self, message: OutboxMessage) -> None:
        """From the channel."""
        received_at = max((change.event.received_at for change in message.changes), default=None)
        self._undelivered[message.outbox_id] = _undelivered(message, received_at)

    def read(self, message: OutboxMessage) -> None:
        """From the outbox."""
        self._undelivered.setdefault(message.outbox_id, _undelivered(message, None))

    def delivered(self, outbox_ids: Collection[OutboxId]) -> None:
        now = clock.now()
        for outbox_id in outbox_ids:
            if message := self._undelivered.pop(outbox_id, None):
                _log.info("delivered %d calls", message.calls, extra=message.log_fields)
                if message.received_at:
                    metrics.observe(Metric.COMMIT_TO_SOCKET, (now - message.received_at).total_seconds() * 1000)


def _undelivered(message: OutboxMessage, received_at: datetime | None) -> _Undelivered:
    calls = {change.call.id for change in message.changes}
    call_ids = {"call_id": ids(calls)} if calls else {}  # a message may contain only agents
    log_fields = call_ids | json_log.traces(message.traceparent, *message.traces.values())
    return _Undelivered(len(calls), log_fields, received_at)


class LoggedRelayStore(PostgresRelayStore):
    def __init__(self, log: RelayLog, url: str, shard: int, shards: int) -> None:
        super().__init__(url, shard, shards)
        self._log = log

    async def pending(self, after: OutboxId, limit: int) -> Sequence[OutboxMessage]:
        messages = await super().pending(after, limit)
        for message in messages:
            self._log.read(message)
        return messages

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        self._log.delivered(outbox_ids)
        return await super().ack(outbox_ids)


class LoggedSubscriber(RedisSubscriber):
    def __init__(self, log: RelayLog, url: str, shard: int) -> None:
        super().__init__(url, shard)
        self._log = log

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[OutboxMessage]]:
        async with super().listen() as messages:
            yield self._logged(messages)

    async def _logged(self, messages: AsyncIterator[OutboxMessage]) -> AsyncGenerator[OutboxMessage]:
        async for message in messages:
            self._log.received(message)
            yield message
