"""Delivery to connections: one post at a time for each, what comes meanwhile conflated, a slow one alone with it."""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

from shared.contracts.feed import OutboxId, Reset
from shared.usecases.feed.frames import FrameBatch
from shared.usecases.feed.ports import Gateway, PostResult
from shared.usecases.feed.timeout import Timeout

POSTS_AT_ONCE = 64
PATIENCE_SECONDS = 0.25  # a post that takes longer gives its place to others, and goes on beside them
PENDING_BYTES_AT_MOST = 256 * 1024
FAILURES_AT_MOST = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0


class OutboxTracker:
    """Counts for each share of a transaction how many deliveries still owe it."""

    def __init__(self, paid: Callable[[Collection[OutboxId]], None]) -> None:
        self._paid = paid
        self._owed: dict[OutboxId, int] = {}

    def __contains__(self, outbox_id: OutboxId) -> bool:
        return outbox_id in self._owed

    def owe(self, outbox_ids: Collection[OutboxId]) -> None:
        for outbox_id in outbox_ids:
            self._owed[outbox_id] = self._owed.get(outbox_id, 0) + 1

    def settle(self, outbox_ids: Collection[OutboxId]) -> None:
        paid: list[OutboxId] = []
        for outbox_id in outbox_ids:
            self._owed[outbox_id] -= 1
            if not self._owed[outbox_id]:
                del self._owed[outbox_id]
                paid.append(outbox_id)
        if paid:
            self._paid(paid)


@dataclass(slots=True)
class Delivery:
    """A bundle on its way to several connections. It is settled when the last of them has it."""

    bundle: FrameBatch
    outbox_ids: Collection[OutboxId]
    recipients: int


@dataclass(slots=True)
class ConnectionBuffer:
    """What one connection has not got yet. `reset_topics` are those of which something had to be dropped."""

    connection_id: str
    pending: FrameBatch | None = None
    parcels: list[Delivery] = field(default_factory=list[Delivery])
    reset_topics: frozenset[str] = frozenset()
    failures: int = 0

    def put(self, bundle: FrameBatch) -> None:
        self.reset_topics |= bundle.gone
        merged = self.pending.followed_by(bundle) if self.pending else bundle
        if merged.size_bytes > PENDING_BYTES_AT_MOST or not merged.is_sendable:
            self.reset_topics |= merged.topics
            merged = None
        self.pending = merged

    def put_back(self, bundle: FrameBatch | None, reset_topics: frozenset[str]) -> None:
        """What could not be sent is older than what came since."""
        self.reset_topics |= reset_topics
        later, self.pending = self.pending, bundle
        if later:
            self.put(later)

    @property
    def is_empty(self) -> bool:
        return not self.pending and not self.reset_topics and not self.parcels


class Sender:
    """Mailboxes exist only for connections that are owed something. `remove` strikes a connection off the registry."""

    def __init__(self, gateway: Gateway, outbox_ids: OutboxTracker, remove: Callable[[str], None]) -> None:
        self.position = 0
        self.posts = 0
        self._gateway = gateway
        self._debts = outbox_ids
        self._remove = remove
        self._mailboxes: dict[str, ConnectionBuffer] = {}
        self._ready: asyncio.Queue[ConnectionBuffer | asyncio.Future[None]] = asyncio.Queue()
        self._carriers: set[asyncio.Task[None]] = set()
        self._is_done = asyncio.Event()

    def start(self, group: asyncio.TaskGroup) -> None:
        """A fault in a delivery ends the group, and so does not go unseen."""
        self._group = group
        for _ in range(POSTS_AT_ONCE):
            self._hire()

    def _hire(self) -> None:
        carrier = self._group.create_task(self._carry())
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def turn(self) -> None:
        """Wait until all that was ready before is on its way: what comes until then is conflated."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.put_nowait(turn)
        await turn

    def send(self, bundle: FrameBatch, outbox_ids: Collection[OutboxId], connection_ids: Collection[str]) -> None:
        self._debts.owe(outbox_ids)
        parcel = Delivery(bundle, outbox_ids, len(connection_ids))
        for connection_id in connection_ids:
            mailbox = self._mailboxes.get(connection_id)
            if mailbox is None:
                mailbox = self._mailboxes[connection_id] = ConnectionBuffer(connection_id)
                self._ready.put_nowait(mailbox)
            mailbox.put(bundle)
            mailbox.parcels.append(parcel)

    async def finish(self, seconds: float) -> None:
        """Give what is under way so much time. What is not delivered by then is still in the outbox."""
        if self._mailboxes:
            self._is_done.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_done.wait(), seconds)
        carriers = list(self._carriers)
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)

    async def _carry(self) -> None:
        """Post for one connection after the other. Who is held up beyond all patience is relieved, and then leaves."""
        is_relieved = False

        def relieve() -> None:
            nonlocal is_relieved
            is_relieved = True
            self._hire()

        patience = Timeout(PATIENCE_SECONDS, relieve)
        while not is_relieved:
            next_one = await self._ready.get()
            if isinstance(next_one, asyncio.Future):
                if not next_one.done():
                    next_one.set_result(None)
                continue
            patience.begin()
            try:
                await self._empty(next_one)
            finally:
                patience.end()

    async def _empty(self, mailbox: ConnectionBuffer) -> None:
        """Post all that is pending at the moment when the connection's turn comes."""
        bundle, reset_topics, parcels = mailbox.pending, mailbox.reset_topics, mailbox.parcels
        mailbox.pending, mailbox.reset_topics, mailbox.parcels = None, frozenset(), []
        sent = await self._post(mailbox.connection_id, bundle, reset_topics)
        if sent is PostResult.BUSY:
            mailbox.put_back(bundle, reset_topics)
            mailbox.parcels[:0] = parcels
            await self._put_off(mailbox)
            return
        mailbox.failures = 0
        if sent is PostResult.GONE:
            self._strike_off(mailbox)
        self._settle(parcels)
        self._go_on(mailbox)

    def _go_on(self, mailbox: ConnectionBuffer) -> None:
        """With what came meanwhile, after all others whose turn it is."""
        if not mailbox.is_empty:
            self._ready.put_nowait(mailbox)
            return
        del self._mailboxes[mailbox.connection_id]
        if not self._mailboxes:
            self._is_done.set()

    async def _post(self, connection_id: str, bundle: FrameBatch | None, reset_topics: frozenset[str]) -> PostResult:
        frames = list(bundle.frames(self.position)) if bundle else []
        if reset_topics:
            reset = Reset(topics=sorted(reset_topics), position=self.position)
            frames.insert(0, reset.model_dump_json().encode())
        for frame in frames:
            self.posts += 1
            sent = await self._gateway.post(connection_id, frame)
            if sent is not PostResult.DONE:
                return sent
        return PostResult.DONE

    async def _put_off(self, mailbox: ConnectionBuffer) -> None:
        """Wait longer each time, and in the end close: a client that is cut off comes back and asks what it missed."""
        mailbox.failures += 1
        if (
            mailbox.failures >= FAILURES_AT_MOST
            and await self._gateway.close(mailbox.connection_id) is not PostResult.BUSY
        ):
            self._strike_off(mailbox)
            self._go_on(mailbox)
            return
        pause_seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**mailbox.failures) * random.uniform(0.5, 1)
        asyncio.get_running_loop().call_later(pause_seconds, self._ready.put_nowait, mailbox)

    def _strike_off(self, mailbox: ConnectionBuffer) -> None:
        parcels, mailbox.parcels = mailbox.parcels, []
        mailbox.pending, mailbox.reset_topics = None, frozenset()
        self._remove(mailbox.connection_id)
        self._settle(parcels)

    def _settle(self, parcels: Collection[Delivery]) -> None:
        for parcel in parcels:
            parcel.recipients -= 1
            if not parcel.recipients:
                self._debts.settle(parcel.outbox_ids)
