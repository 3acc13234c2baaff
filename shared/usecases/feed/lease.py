"""A relay's lease on its shard: renewal, fencing, and the hand-over to a successor that is already listening."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from shared.usecases.errors import UnavailableError

_log = logging.getLogger(__name__)

LEASE_SECONDS, RENEW_SECONDS = 2.5, 1.0  # one renewal may be late before the lease expires
RETRY_SECONDS = 0.2
VACANCY_CHECKS = 11  # during one lease
WAKE_ATTEMPTS, WAKE_TIMEOUT_SECONDS = 3, 10.0  # the timeout exceeds a cold start


class Leases(Protocol):
    """The lease on one shard. Raises `UnavailableError`."""

    async def acquire(self, seconds: float, after: int | None) -> int | None:
        """The fencing token, higher than all before. None while another lease is valid, unless its token is `after`."""
        ...

    async def renew(self, seconds: float) -> bool:
        """False if another relay holds the shard."""
        ...

    async def release(self) -> None:
        """Leave the shard vacant, if this relay still holds it."""
        ...


class ShardLease:
    """One period during which a relay holds a shard. Not reusable.

    `wake_successor` starts a relay that succeeds the holder of this fencing token.
    """

    def __init__(self, leases: Leases, wake_successor: Callable[[int], None]) -> None:
        self._leases, self._wake_successor = leases, wake_successor
        self._fencing_token = 0
        self.acquired, self._lost = asyncio.Event(), asyncio.Event()

    async def acquire(self, until: float, after: int | None) -> bool:
        """False if another relay was faster. Retries during an outage, until this time of the event loop."""
        while True:
            with suppress(UnavailableError):
                fencing_token = await self._leases.acquire(LEASE_SECONDS, after)
                if fencing_token is None:
                    return False
                self._fencing_token = fencing_token
                self.acquired.set()
                return True
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(RETRY_SECONDS)

    async def renew_until_lost(self) -> None:
        while not self._lost.is_set():
            with suppress(UnavailableError):
                if not await self._leases.renew(LEASE_SECONDS):
                    self.mark_lost()
            await asyncio.sleep(RENEW_SECONDS)

    def mark_lost(self) -> None:
        """Another relay holds the shard."""
        self._lost.set()

    async def hold(self, until: float) -> None:
        """Return when a successor holds the shard. It is woken at this time, and again if none starts."""
        await self._wait_until_lost(until - asyncio.get_running_loop().time())
        for _ in range(WAKE_ATTEMPTS):
            if not self._lost.is_set():
                # In a thread: the call may take seconds, while this relay still delivers.
                await asyncio.to_thread(self._wake_successor, self._fencing_token)
                await self._wait_until_lost(WAKE_TIMEOUT_SECONDS)
        if not self._lost.is_set():
            _log.warning("No successor started: the shard is vacant until the next event or scheduled check.")

    async def _wait_until_lost(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), max(0.0, seconds))

    async def release(self) -> None:
        with suppress(UnavailableError):
            await self._leases.release()


def find_vacancies(vacant_shards: Callable[[], Sequence[int]], sleep: Callable[[float], None]) -> Sequence[int]:
    """The shards without a relay. Checks for as long as a killed relay holds its lease."""
    for _ in range(VACANCY_CHECKS):
        if vacant := vacant_shards():
            return vacant
        sleep(LEASE_SECONDS / (VACANCY_CHECKS - 1))
    return ()
