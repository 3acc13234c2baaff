"""A time limit that is set thousands of times a second: its timer is moved when it rings, not at each new beginning."""

import asyncio
from collections.abc import Callable


class Timeout:
    """Calls `run_out` where what was begun is not ended within so many seconds. Of use within one event loop."""

    def __init__(self, seconds: float, run_out: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds, self._run_out = seconds, run_out
        self._due_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._due_at = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._due_at, self._ring)

    def end(self) -> None:
        self._due_at = None

    def stop(self) -> None:
        """For good: nothing rings any more."""
        self.end()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._due_at is None:
            return
        if self._loop.time() < self._due_at:
            self._timer = self._loop.call_at(self._due_at, self._ring)
        else:
            self._due_at = None
            self._run_out()
