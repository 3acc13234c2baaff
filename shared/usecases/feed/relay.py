"""The relay: receives recorded changes, sends them to subscribers, and then deletes them from the outbox."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from shared.contracts.feed import OutboxId, OutboxMessage
from shared.usecases.errors import UnavailableError
from shared.usecases.feed.cancellation import raise_pending_cancellation
from shared.usecases.feed.delivery import OutboxTracker, Sender
from shared.usecases.feed.fan_out import build_entries, calls_without_queue, fan_out_groups
from shared.usecases.feed.lease import RETRY_SECONDS, ShardLease
from shared.usecases.feed.ports import Channel, ChannelDownError, Gateway, PostResult, RelayStore

_log = logging.getLogger(__name__)

FINISH_SECONDS = 2.0
OUTBOX_BATCH_SIZE = 100  # entries; each may contain hundreds of events
MAX_OUTBOX_POLL_SECONDS = 1.0  # between two reads of the outbox while the channel is down
EXPIRY_CHECK_SECONDS = 10.0


class Inbox:
    """Received messages that have not been fanned out. Contains each outbox entry once."""

    def __init__(self) -> None:
        self._messages: dict[OutboxId, OutboxMessage] = {}
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()

    def add(self, messages: Iterable[OutboxMessage]) -> None:
        self._messages |= {message.outbox_id: message for message in messages}
        if self._messages:
            self._filled.set()
            self._emptied.clear()

    async def wait_until_filled(self) -> None:
        await self._filled.wait()

    async def wait_until_empty(self) -> None:
        if self._filled.is_set():
            await self._emptied.wait()

    def take(self) -> Collection[OutboxMessage]:
        messages, self._messages = self._messages, {}
        self._filled.clear()
        self._emptied.set()
        return messages.values()


class RowRemover:
    """Deletes delivered outbox entries and closed connections in the background. Retries during an outage.

    `mark_lost` is called if another relay holds the shard.
    """

    def __init__(self, store: RelayStore, mark_lost: Callable[[], None]) -> None:
        self._store, self._mark_lost = store, mark_lost
        self._acked: set[OutboxId] = set()
        self._closed: set[str] = set()
        self._is_due = asyncio.Event()

    def ack(self, outbox_ids: Collection[OutboxId]) -> None:
        self._acked |= set(outbox_ids)
        self._is_due.set()

    def remove(self, connection_id: str) -> None:
        self._closed.add(connection_id)
        self._is_due.set()

    async def run_forever(self) -> None:
        while True:
            await self._is_due.wait()
            try:
                await self.run_once()
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)

    async def run_once(self) -> None:
        """Raises `UnavailableError`. The remaining rows are deleted next time."""
        acked, closed = set(self._acked), set(self._closed)
        self._is_due.clear()
        try:
            if acked:
                if not await self._store.ack(acked):
                    self._mark_lost()
                self._acked -= acked
            for connection_id in closed:
                await self._store.remove(connection_id)
                self._closed.discard(connection_id)
        except UnavailableError:
            self._is_due.set()
            raise


class Relay:
    """Sends the changes of one shard. Not reusable.

    `wake_successor` starts a relay that succeeds the holder of this fencing token.
    """

    def __init__(
        self, channel: Channel, store: RelayStore, gateway: Gateway, wake_successor: Callable[[int], None]
    ) -> None:
        self._channel, self._store, self._gateway = channel, store, gateway
        self._lease = ShardLease(store, wake_successor)
        self._inbox = Inbox()
        self._rows = RowRemover(store, self._lease.mark_lost)
        self._tracker = OutboxTracker(self._rows.ack)
        self.sender = Sender(gateway, self._tracker, self._rows.remove)
        self._is_listening = asyncio.Event()
        self.events = 0

    async def run(self, seconds: float, after: int | None = None) -> None:
        """Listen, acquire the shard, and hand it over to a successor after this time.

        The shard must be vacant or held with the fencing token `after`. That holder sends until the hand-over.
        """
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            await self._is_listening.wait()
            if not await self._lease.acquire(until, after):
                _log.info("Another relay holds the shard.")
                listening.cancel()
                return
            self.sender.start(group)
            works = (
                self._fan_out_forever(),
                self._rows.run_forever(),
                self._lease.renew_until_lost(),
                self._close_expired(),
            )
            others = [group.create_task(work) for work in works]
            await self._lease.hold(until)
            listening.cancel()
            await self._finish()
            for task in others:
                task.cancel()

    async def _finish(self) -> None:
        with suppress(TimeoutError, UnavailableError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._inbox.wait_until_empty()
        await self.sender.finish(FINISH_SECONDS)
        with suppress(UnavailableError):
            await self._rows.run_once()
        await self._lease.release()

    async def _listen(self) -> None:
        """While the channel is down, read the outbox instead: slightly later, but complete."""
        pause_seconds = RETRY_SECONDS
        while True:
            try:
                async with self._channel.listen() as messages, asyncio.TaskGroup() as group:
                    pause_seconds = 0
                    self._is_listening.set()
                    reading = group.create_task(self._read_outbox())
                    async for message in messages:
                        self._receive([message])
                    reading.cancel()
            except* ChannelDownError as down:
                _log.warning("The channel is down: %s", down.exceptions[0])
            raise_pending_cancellation()
            self._is_listening.set()
            await self._read_outbox()
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(MAX_OUTBOX_POLL_SECONDS, pause_seconds + RETRY_SECONDS)

    async def _read_outbox(self) -> None:
        """Entries that an earlier relay did not deliver, or that were published while no relay listened."""
        await self._lease.acquired.wait()
        after = 0, 0
        with suppress(UnavailableError):
            while entries := await self._store.pending(after, OUTBOX_BATCH_SIZE):
                self._receive(entries)
                after = entries[-1].outbox_id
                await self._inbox.wait_until_empty()

    def _receive(self, messages: Iterable[OutboxMessage]) -> None:
        """Ignores entries whose delivery is in progress."""
        self._inbox.add(message for message in messages if message.outbox_id not in self._tracker)

    async def _fan_out_forever(self) -> None:
        while True:
            await self._inbox.wait_until_filled()
            await self.sender.wait_for_turn()
            messages = self._inbox.take()
            try:
                await self._fan_out(messages)
            except UnavailableError:
                self._inbox.add(messages)
                await asyncio.sleep(RETRY_SECONDS)

    async def _fan_out(self, messages: Collection[OutboxMessage]) -> None:
        call_ids = calls_without_queue(messages)
        queues: Mapping[str, str] = await self._store.queues_of_calls(call_ids) if call_ids else {}
        entries = [entry for message in messages for entry in build_entries(message, queues)]
        topics = {topic for entry in entries for topic in entry.topics}
        subscribers = await self._store.subscribers(topics)
        self.sender.position = max(self.sender.position, subscribers.position)
        outbox_ids = [message.outbox_id for message in messages]
        self._tracker.track(outbox_ids)
        for group in fan_out_groups(entries, subscribers.groups):
            self.sender.send(group.batch, group.outbox_ids, group.connection_ids)
        self._tracker.ack(outbox_ids)  # entries without subscribers are now acknowledged
        self.events += sum(len(message.changes) for message in messages)

    async def _close_expired(self) -> None:
        """Close expired connections. They receive no updates, and the client would not notice otherwise."""
        while True:
            with suppress(UnavailableError):
                for connection_id in await self._store.expired():
                    if await self._gateway.close(connection_id) is not PostResult.BUSY:
                        self._rows.remove(connection_id)
            await asyncio.sleep(EXPIRY_CHECK_SECONDS)
