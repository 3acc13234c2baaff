"""Sends frames to connections: one post at a time for each. Updates that arrive during a post are conflated."""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from shared.contracts.feed import OutboxId, Reset
from shared.usecases.feed.frames import FrameBatch
from shared.usecases.feed.ports import Gateway, PostResult
from shared.usecases.feed.timeout import Timeout

MAX_CONCURRENT_POSTS = 64
SLOW_POST_SECONDS = 0.25  # another worker starts beside a post that takes longer
MAX_PENDING_BYTES = 256 * 1024
MAX_FAILURES = 8
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.05, 2.0


class OutboxTracker:
    """Counts the unfinished deliveries of each outbox entry. `acked` receives the entries without any."""

    def __init__(self, acked: Callable[[Collection[OutboxId]], None]) -> None:
        self._acked = acked
        self._unfinished: dict[OutboxId, int] = {}

    def __contains__(self, outbox_id: OutboxId) -> bool:
        return outbox_id in self._unfinished

    def track(self, outbox_ids: Collection[OutboxId]) -> None:
        for outbox_id in outbox_ids:
            self._unfinished[outbox_id] = self._unfinished.get(outbox_id, 0) + 1

    def ack(self, outbox_ids: Collection[OutboxId]) -> None:
        finished: list[OutboxId] = []
        for outbox_id in outbox_ids:
            self._unfinished[outbox_id] -= 1
            if not self._unfinished[outbox_id]:
                del self._unfinished[outbox_id]
                finished.append(outbox_id)
        if finished:
            self._acked(finished)


@dataclass(slots=True)
class Delivery:
    """A batch for several connections. Its outbox entries are acknowledged after the last of them.

    outbox_ids: the outbox entries in the batch.
    recipients: the number of connections that have not received it.
    """

    outbox_ids: Collection[OutboxId]
    recipients: int


@dataclass(slots=True)
class ConnectionBuffer:
    """Updates that one connection has not received.

    pending: the conflated updates.
    deliveries: the deliveries to which they belong.
    reset_topics: topics whose updates were dropped, so that the client must read them again.
    failures: consecutive failed posts.
    """

    connection_id: str
    pending: FrameBatch | None = None
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    reset_topics: frozenset[str] = frozenset()
    failures: int = 0

    def put(self, batch: FrameBatch) -> None:
        self.reset_topics |= batch.reset_topics
        merged = self.pending.followed_by(batch) if self.pending else batch
        if merged.size_bytes > MAX_PENDING_BYTES or not merged.is_sendable:
            self.reset_topics |= merged.topics
            merged = None
        self.pending = merged

    def put_back(self, batch: FrameBatch | None, reset_topics: frozenset[str]) -> None:
        """Insert a batch that could not be sent before the updates that arrived since."""
        self.reset_topics |= reset_topics
        later, self.pending = self.pending, batch
        if later:
            self.put(later)

    @property
    def is_empty(self) -> bool:
        return not self.pending and not self.reset_topics and not self.deliveries


class Sender:
    """Posts with a fixed number of workers. A buffer exists while its connection has unsent updates.

    `remove` receives connections that no longer exist.
    """

    def __init__(self, gateway: Gateway, tracker: OutboxTracker, remove: Callable[[str], None]) -> None:
        self.position = 0
        self.posts = 0
        self._gateway = gateway
        self._tracker = tracker
        self._remove = remove
        self._buffers: dict[str, ConnectionBuffer] = {}
        self._ready: asyncio.Queue[ConnectionBuffer | asyncio.Future[None]] = asyncio.Queue()
        self._workers: set[asyncio.Task[None]] = set()
        self._is_drained = asyncio.Event()

    def start(self, group: asyncio.TaskGroup) -> None:
        """An unexpected error in a worker ends the group."""
        self._group = group
        for _ in range(MAX_CONCURRENT_POSTS):
            self._start_worker()

    def _start_worker(self) -> None:
        worker = self._group.create_task(self._work())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def wait_for_turn(self) -> None:
        """Return when all buffers that are ready now have been posted."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.put_nowait(turn)
        await turn

    def send(self, batch: FrameBatch, outbox_ids: Collection[OutboxId], connection_ids: Collection[str]) -> None:
        self._tracker.track(outbox_ids)
        delivery = Delivery(outbox_ids, len(connection_ids))
        for connection_id in connection_ids:
            buffer = self._buffers.get(connection_id)
            if buffer is None:
                buffer = self._buffers[connection_id] = ConnectionBuffer(connection_id)
                self._ready.put_nowait(buffer)
            buffer.put(batch)
            buffer.deliveries.append(delivery)

    async def finish(self, seconds: float) -> None:
        """Wait up to this time for unsent updates, then stop. The outbox still contains those that remain."""
        if self._buffers:
            self._is_drained.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_drained.wait(), seconds)
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        """Post one buffer after the other. A slow post starts a replacement, and this worker ends after it."""
        is_replaced = False

        def replace() -> None:
            nonlocal is_replaced
            is_replaced = True
            self._start_worker()

        timeout = Timeout(SLOW_POST_SECONDS, replace)
        while not is_replaced:
            ready = await self._ready.get()
            if isinstance(ready, asyncio.Future):
                if not ready.done():
                    ready.set_result(None)
                continue
            timeout.start()
            try:
                await self._send_pending(ready)
            finally:
                timeout.stop()

    async def _send_pending(self, buffer: ConnectionBuffer) -> None:
        batch, reset_topics, deliveries = buffer.pending, buffer.reset_topics, buffer.deliveries
        buffer.pending, buffer.reset_topics, buffer.deliveries = None, frozenset(), []
        result = await self._post(buffer.connection_id, batch, reset_topics)
        if result is PostResult.BUSY:
            buffer.put_back(batch, reset_topics)
            buffer.deliveries[:0] = deliveries
            await self._retry_later(buffer)
            return
        buffer.failures = 0
        if result is PostResult.GONE:
            self._drop_connection(buffer)
        self._ack(deliveries)
        self._requeue_or_remove(buffer)

    def _requeue_or_remove(self, buffer: ConnectionBuffer) -> None:
        """A buffer with new updates goes to the end of the queue."""
        if not buffer.is_empty:
            self._ready.put_nowait(buffer)
            return
        del self._buffers[buffer.connection_id]
        if not self._buffers:
            self._is_drained.set()

    async def _post(self, connection_id: str, batch: FrameBatch | None, reset_topics: frozenset[str]) -> PostResult:
        frames = list(batch.frames(self.position)) if batch else []
        if reset_topics:
            reset = Reset(topics=sorted(reset_topics), position=self.position)
            frames.insert(0, reset.model_dump_json().encode())
        for frame in frames:
            self.posts += 1
            result = await self._gateway.post(connection_id, frame)
            if result is not PostResult.DONE:
                return result
        return PostResult.DONE

    async def _retry_later(self, buffer: ConnectionBuffer) -> None:
        """Wait longer each time, then close the connection. The client reconnects and resumes from its position."""
        buffer.failures += 1
        if buffer.failures >= MAX_FAILURES and await self._gateway.close(buffer.connection_id) is not PostResult.BUSY:
            self._drop_connection(buffer)
            self._requeue_or_remove(buffer)
            return
        pause_seconds = min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**buffer.failures) * random.uniform(0.5, 1)
        asyncio.get_running_loop().call_later(pause_seconds, self._ready.put_nowait, buffer)

    def _drop_connection(self, buffer: ConnectionBuffer) -> None:
        deliveries, buffer.deliveries = buffer.deliveries, []
        buffer.pending, buffer.reset_topics = None, frozenset()
        self._remove(buffer.connection_id)
        self._ack(deliveries)

    def _ack(self, deliveries: Collection[Delivery]) -> None:
        for delivery in deliveries:
            delivery.recipients -= 1
            if not delivery.recipients:
                self._tracker.ack(delivery.outbox_ids)
