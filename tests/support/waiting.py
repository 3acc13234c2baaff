"""Waits for what happens in another process that sends no signal."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.machine import processes

WAIT_SECONDS = 300.0
NO_LOG = Path(os.devnull)


def wait_for(condition: Callable[[], Any], what: str, log: Path = NO_LOG) -> None:
    """Return when the condition is true. Fails after five minutes, with `what` and the end of the log."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{processes.tail(log)}"
        time.sleep(0.05)
