"""The ports of the relay: subscriptions, outbox and lease, the channel, and the gateway."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from shared.contracts.feed import OutboxId, OutboxMessage
from shared.usecases.access import Principal
from shared.usecases.feed.lease import Leases


@dataclass(frozen=True, slots=True)
class SubscriberGroup:
    """Connections with equal rights and equal subscriptions among the requested topics. They receive the same frames.

    topics: the subscriptions.
    principal: the rights.
    connection_ids: the connections.
    """

    topics: frozenset[str]
    principal: Principal
    connection_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The current subscribers of the requested topics.

    position: everything below it has been delivered.
    groups: the connections.
    """

    position: int
    groups: Sequence[SubscriberGroup]


class RelayStore(Leases, Protocol):
    """The connections, the outbox of a shard, and the lease on it. Raises `UnavailableError`."""

    async def subscribers(self, topics: Collection[str]) -> Subscribers: ...

    async def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]: ...

    async def remove(self, connection_id: str) -> None: ...

    async def expired(self) -> Sequence[str]:
        """Connections that have expired and must be closed."""
        ...

    async def pending(self, after: OutboxId, limit: int) -> Sequence[OutboxMessage]:
        """Outbox entries after this one, oldest first. Empty at the end."""
        ...

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        """Delete delivered entries. False, without deleting any, if another relay holds the shard."""
        ...


class ChannelDownError(Exception):
    """The channel is not available. Messages published in this time must be read from the outbox."""


class Channel(Protocol):
    def listen(self) -> AbstractAsyncContextManager[AsyncIterator[OutboxMessage]]:
        """All messages published after the context is entered. Entry and iteration raise `ChannelDownError`."""
        ...


class PostResult(Enum):
    DONE = auto()
    GONE = auto()  # the connection no longer exists
    BUSY = auto()  # throttled, failed or timed out; try again


class Gateway(Protocol):
    async def post(self, connection_id: str, frame: bytes) -> PostResult: ...

    async def close(self, connection_id: str) -> PostResult: ...
