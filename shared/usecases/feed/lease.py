"""A relay's tenure of its shard: a lease with a fencing number, handed over to a successor that listens already."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from shared.usecases.errors import UnavailableError

_log = logging.getLogger(__name__)

LEASE_SECONDS, BEAT_SECONDS = 2.5, 1.0  # a beat may be late once before the shard is given to another
RETRY_SECONDS = 0.2
LOOKS = 11  # within a lease
CALLS, ANSWER_SECONDS = 3, 10.0  # for a successor: a cold start, and plenty


class Leases(Protocol):
    """The lease on one shard. Raises `UnavailableError` while the system of record cannot be reached."""

    async def acquire(self, seconds: float, after: int | None) -> int | None:
        """The fencing number, higher than any before. None while another's lease runs, unless its number is `after`."""
        ...

    async def renew(self, seconds: float) -> bool:
        """False where the shard is another's by now."""
        ...

    async def release(self) -> None:
        """Leave the shard vacant, if it is still ours."""
        ...


class ShardLease:
    """`call` asks for a successor to the holder with this fencing number. One instance, one tenure."""

    def __init__(self, leases: Leases, call: Callable[[int], None]) -> None:
        self._leases, self._call = leases, call
        self._fence = 0
        self.begun, self._over = asyncio.Event(), asyncio.Event()

    async def begin(self, until: float, after: int | None) -> bool:
        """False where another was quicker. An outage is waited out, until then by the loop's clock."""
        while True:
            with suppress(UnavailableError):
                fence = await self._leases.acquire(LEASE_SECONDS, after)
                if fence is None:
                    return False
                self._fence = fence
                self.begun.set()
                return True
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(RETRY_SECONDS)

    async def keep_up(self) -> None:
        while not self._over.is_set():
            with suppress(UnavailableError):
                if not await self._leases.renew(LEASE_SECONDS):
                    self.lose()
            await asyncio.sleep(BEAT_SECONDS)

    def lose(self) -> None:
        """Somebody else is in charge."""
        self._over.set()

    async def serve(self, until: float) -> None:
        """Return when a successor is in charge. It is called for at that time, and again where none comes."""
        now = asyncio.get_running_loop().time
        await self._lost(until - now())
        for _ in range(CALLS):
            if not self._over.is_set():
                await asyncio.to_thread(self._call, self._fence)  # it may take seconds, in which we are still needed
                await self._lost(ANSWER_SECONDS)
        if not self._over.is_set():
            _log.warning("No successor came: the shard is vacant until somebody publishes or the schedule looks.")

    async def _lost(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), max(0.0, seconds))

    async def end(self) -> None:
        with suppress(UnavailableError):
            await self._leases.release()


def find_vacancies(look: Callable[[], Sequence[int]], sleep: Callable[[float], None]) -> Sequence[int]:
    """The shards without a relay. Looked for as long as a lease lasts: one that was just killed still holds its own."""
    for _ in range(LOOKS):
        if vacant := look():
            return vacant
        sleep(LEASE_SECONDS / (LOOKS - 1))
    return ()
