"""Where a client resumes: at what it knows to be whole, or at the last position seen less a margin. Pure."""

from collections import deque
from dataclasses import dataclass, field

# Two relays may post to one connection while one hands over to the other, so a frame can come before an earlier one.
# Cut between the two, a client that resumed at the newest position would skip the older. An overlap costs a few
# copies, which versions make harmless; a gap would cost the truth.
OVERLAP_SECONDS = 5.0


@dataclass
class ResumePoint:
    """Times are any monotonic seconds."""

    _settled: int | None = None
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def connected(self) -> None:
        """A new connection: what the frames of the old one overtook may have been lost with it."""
        self._recent.clear()

    def saw(self, position: int, at: float) -> None:
        """A frame told it. The first one, `subscribed`, has nothing before it that could still come."""
        if self._settled is None:
            self._settled = position
        self._recent.append((at, position))
        self._settle(at)

    def whole(self, position: int | None) -> None:
        """What was read is whole up to here, whatever frames are still on their way."""
        if position is not None:
            self._settled = position if self._settled is None else max(self._settled, position)

    def since(self) -> int | None:
        """The position to resume from; None when nothing was ever received.

        Only a later frame shows that the line lived on for what was on its way: time on a dead line shows nothing.
        """
        return self._settled

    def _settle(self, now: float) -> None:
        while self._recent and now - self._recent[0][0] >= OVERLAP_SECONDS:
            self.whole(self._recent.popleft()[1])
