"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Time in a test's hand."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def at(self, seconds: float) -> datetime:
        """So many seconds after the test's beginning."""
        return datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=seconds)

    def go_to(self, seconds: float) -> datetime:
        self.moment = self.at(seconds)
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=max(seconds, 0.001))
