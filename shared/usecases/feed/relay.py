"""The relay: hears what was recorded, tells whoever is interested, and only then strikes it off the outbox."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from shared.contracts.feed import OutboxId, Published
from shared.usecases.errors import UnavailableError
from shared.usecases.feed.cancellation import obey_cancellation
from shared.usecases.feed.delivery import OutboxTracker, Sender
from shared.usecases.feed.fan_out import build_entries, calls_without_queue, fan_out_groups
from shared.usecases.feed.lease import RETRY_SECONDS, ShardLease
from shared.usecases.feed.ports import Channel, ChannelDownError, Gateway, PostResult, RelayStore

_log = logging.getLogger(__name__)

FINISH_SECONDS = 2.0
DRAIN_AT_ONCE = 100  # shares of transactions, of which each may have recorded hundreds of events
DEAF_SECONDS = 1.0  # at most between two readings of the outbox while the channel is down
EXPIRY_SECONDS = 10.0


class Inbox:
    """What was heard and not sorted yet, each share of a transaction once."""

    def __init__(self) -> None:
        self._heard: dict[OutboxId, Published] = {}
        self._filled, self._taken = asyncio.Event(), asyncio.Event()

    def add(self, heard: Iterable[Published]) -> None:
        self._heard |= {published.outbox_id: published for published in heard}
        if self._heard:
            self._filled.set()
            self._taken.clear()

    async def filled(self) -> None:
        await self._filled.wait()

    async def emptied(self) -> None:
        if self._filled.is_set():
            await self._taken.wait()

    def take(self) -> Collection[Published]:
        heard, self._heard = self._heard, {}
        self._filled.clear()
        self._taken.set()
        return heard.values()


class Chores:
    """Rows to strike off, whenever the system of record has time: off the outbox and off the registry."""

    def __init__(self, floor: RelayStore, lose: Callable[[], None]) -> None:
        self._floor, self._lose = floor, lose
        self._told: set[OutboxId] = set()
        self._gone: set[str] = set()
        self._due = asyncio.Event()

    def ack(self, outbox_ids: Collection[OutboxId]) -> None:
        self._told |= set(outbox_ids)
        self._due.set()

    def remove(self, connection_id: str) -> None:
        self._gone.add(connection_id)
        self._due.set()

    async def keep_up(self) -> None:
        while True:
            await self._due.wait()
            try:
                await self.do()
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)

    async def do(self) -> None:
        told, gone = set(self._told), set(self._gone)
        self._due.clear()
        try:
            if told:
                if not await self._floor.ack(told):
                    self._lose()
                self._told -= told
            for connection_id in gone:
                await self._floor.remove(connection_id)
                self._gone.discard(connection_id)
        except UnavailableError:
            self._due.set()
            raise


class Relay:
    """Tells of one shard. `call` asks for a successor to the holder with this fencing number. One instance, one run."""

    def __init__(self, channel: Channel, floor: RelayStore, gateway: Gateway, call: Callable[[int], None]) -> None:
        self._channel, self._floor, self._gateway = channel, floor, gateway
        self._tenure = ShardLease(floor, call)
        self._inbox = Inbox()
        self._chores = Chores(floor, self._tenure.lose)
        self._debts = OutboxTracker(self._chores.ack)
        self.delivery = Sender(gateway, self._debts, self._chores.remove)
        self._attentive = asyncio.Event()
        self.events = 0

    async def run(self, seconds: float, after: int | None = None) -> None:
        """Take the shard once it is listened to, and leave it to a successor after so long.

        It is taken where it is vacant, or from the holder `after` whom we succeed, who tells until then.
        """
        until = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            await self._attentive.wait()
            if not await self._tenure.begin(until, after):
                _log.info("Another relay has the shard: nothing to do.")
                listening.cancel()
                return
            self.delivery.start(group)
            works = (self._sort(), self._chores.keep_up(), self._tenure.keep_up(), self._close_expired())
            others = [group.create_task(work) for work in works]
            await self._tenure.serve(until)
            listening.cancel()
            await self._finish()
            for task in others:
                task.cancel()

    async def _finish(self) -> None:
        with suppress(TimeoutError, UnavailableError):
            async with asyncio.timeout(FINISH_SECONDS):
                await self._inbox.emptied()
        await self.delivery.finish(FINISH_SECONDS)
        with suppress(UnavailableError):
            await self._chores.do()
        await self._tenure.end()

    async def _listen(self) -> None:
        """While the channel is down the outbox itself is read: later by a moment, and complete."""
        pause_seconds = RETRY_SECONDS
        while True:
            try:
                async with self._channel.listen() as messages, asyncio.TaskGroup() as group:
                    pause_seconds = 0
                    self._attentive.set()
                    draining = group.create_task(self._drain())
                    async for published in messages:
                        self._hear([published])
                    draining.cancel()
            except* ChannelDownError as down:
                _log.warning("The channel is down: %s", down.exceptions[0])
            obey_cancellation()
            self._attentive.set()
            await self._drain()
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(DEAF_SECONDS, pause_seconds + RETRY_SECONDS)

    async def _drain(self) -> None:
        """Take in what is owed already: by a relay that is gone, or while nobody listened."""
        await self._tenure.begun.wait()
        after = 0, 0
        with suppress(UnavailableError):
            while owed := await self._floor.pending(after, DRAIN_AT_ONCE):
                self._hear(owed)
                after = owed[-1].outbox_id
                await self._inbox.emptied()

    def _hear(self, heard: Iterable[Published]) -> None:
        """What is on its way already is not sent again."""
        self._inbox.add(published for published in heard if published.outbox_id not in self._debts)

    async def _sort(self) -> None:
        while True:
            await self._inbox.filled()
            await self.delivery.turn()
            heard = self._inbox.take()
            try:
                await self._flush(heard)
            except UnavailableError:
                self._inbox.add(heard)
                await asyncio.sleep(RETRY_SECONDS)

    async def _flush(self, heard: Collection[Published]) -> None:
        strange = calls_without_queue(heard)
        queues: Mapping[str, str] = await self._floor.queues_of_calls(strange) if strange else {}
        entries = [entry for published in heard for entry in build_entries(published, queues)]
        topics = {topic for entry in entries for topic in entry.topics}
        subscribers = await self._floor.subscribers(topics)
        self.delivery.position = max(self.delivery.position, subscribers.position)
        told = [published.outbox_id for published in heard]
        self._debts.owe(told)
        for consignment in fan_out_groups(entries, subscribers.groups):
            self.delivery.send(consignment.bundle, consignment.outbox_ids, consignment.connection_ids)
        self._debts.settle(told)  # what nobody is interested in has been told to all who are
        self.events += sum(len(published.changes) for published in heard)

    async def _close_expired(self) -> None:
        """A socket that is told nothing any more must not stay open: that would be silence."""
        while True:
            with suppress(UnavailableError):
                for connection_id in await self._floor.expired():
                    if await self._gateway.close(connection_id) is not PostResult.BUSY:
                        self._chores.remove(connection_id)
            await asyncio.sleep(EXPIRY_SECONDS)
