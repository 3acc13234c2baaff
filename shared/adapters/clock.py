"""The only module that reads the clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Returns at once for a negative value."""
    time.sleep(max(seconds, 0))
