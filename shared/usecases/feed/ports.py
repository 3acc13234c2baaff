"""What the relay asks of the world: who listens, the outbox, the channel, the gateway."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from shared.contracts.feed import OutboxId, Published
from shared.usecases.access import Principal
from shared.usecases.feed.lease import Leases


@dataclass(frozen=True, slots=True)
class Group:
    """Connections of equal rights that subscribed to the same of the topics asked for: they are owed the same."""

    topics: frozenset[str]
    principal: Principal
    connection_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Subscribers:
    """Who is subscribed to what at this moment, and the position below which nothing is owed any more."""

    position: int
    groups: Sequence[Group]


class RelayStore(Leases, Protocol):
    """The registry, the outbox, and the lease on a shard of it.

    Raises `UnavailableError` while the system of record cannot be reached.
    """

    async def subscribers(self, topics: Collection[str]) -> Subscribers: ...

    async def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    async def remove(self, connection_id: str) -> None: ...

    async def expired(self) -> Sequence[str]:
        """Connections whose time is over, and which must be closed."""
        ...

    async def pending(self, after: OutboxId, limit: int) -> Sequence[Published]:
        """What is owed after this, oldest first. Nothing at the end."""
        ...

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        """Strike off what was told. False, and nothing is, where the shard is another's by now."""
        ...


class ChannelDownError(Exception):
    """The channel cannot be heard: what is published meanwhile must be read from the outbox."""


class Channel(Protocol):
    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[Published]]:
        """Everything published from the moment of entering. Raises `ChannelDownError`, on entry or later."""
        ...


class PostResult(Enum):
    DONE = auto()
    GONE = auto()  # the connection exists no more
    BUSY = auto()  # not now: too many, an error on the other side, no answer


class Gateway(Protocol):
    async def post(self, connection_id: str, frame: bytes) -> PostResult: ...

    async def close(self, connection_id: str) -> PostResult: ...
