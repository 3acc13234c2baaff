"""The clock and what it needs to be asked: the only reader of the time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    time.sleep(max(seconds, 0))
