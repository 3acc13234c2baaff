"""What is planned to happen on the simulated floor, in the order of time."""

import heapq
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Planned:
    """Something that will happen, unless its line has taken another step by then."""

    at: float
    number: int
    action: str = field(compare=False)
    subject: str = field(compare=False)
    step: int = field(compare=False)


class Agenda:
    def __init__(self) -> None:
        self._planned: list[Planned] = []
        self._count = 0

    @property
    def next_at(self) -> float:
        return self._planned[0].at if self._planned else float("inf")

    def plan(self, at: float, action: str, subject: str = "", step: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._planned, Planned(at, self._count, action, subject, step))

    def due(self, now: float) -> Planned | None:
        """Take the next thing off, if its time has come."""
        return heapq.heappop(self._planned) if self.next_at <= now else None
