"""The services of the sweep and of the steps after a commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.usecases.errors import LogFailure, raise_again
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import Transactions


class Publisher(Protocol):
    """Redis. No method raises: the sweep publishes again what the relay has not cleared from the outbox."""

    def publish(self, notices: Sequence[TransactionNotices]) -> None:
        """Send the notices. Does not wait for the answer."""
        ...

    def shards_without_relay(self) -> set[int]:
        """Wait for the answers. Returns the shards for which a notice was published and no relay listened."""
        ...


class Workers(Protocol):
    """The functions that run all the time. Each method checks now and then, and starts the function if none runs."""

    def wake_relay(self, shard: int, now: datetime) -> None: ...

    def wake_sweep(self, now: datetime) -> None: ...


class NoWorkers:
    """For tests and tools that start the functions themselves."""

    def wake_relay(self, shard: int, now: datetime) -> None: ...

    def wake_sweep(self, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class SweepServices:
    """`grace` is the time for which a deferred event waits for its predecessor. `log_notices` logs recorded events."""

    transactions: Transactions
    publisher: Publisher
    new_id: Callable[[], str]
    grace: timedelta
    workers: Workers = field(default_factory=NoWorkers)
    log_notices: Callable[[Sequence[TransactionNotices]], None] = lambda _notices: None
    log_failure: LogFailure = raise_again
