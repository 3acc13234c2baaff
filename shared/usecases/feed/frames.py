"""What a connection is owed: the latest view of each call and agent, each event once, and the frames that say so."""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, repeat
from typing import Literal, NamedTuple, get_args

from shared.contracts.feed import TRACES_AT_MOST
from shared.contracts.views import AgentView, AlertView, CallView, Departure, EventView

# Frames stay under 32 KB, by which API Gateway meters; with a margin for the brackets and the traces.
FRAME_BYTES = 32 * 1024
_ROOM = FRAME_BYTES - 256 - 64 * TRACES_AT_MOST
SHED_BYTES = 2 * FRAME_BYTES  # what came together and is larger than that is told without its events

Kind = Literal["calls", "events", "agents", "alerts", "left"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
Rank = tuple[int, str]


class Item(NamedTuple):
    """A view, serialised once for all who get it. Of two items with one key, the one of higher rank is the truth."""

    kind: Kind
    id: str
    rank: Rank
    json: bytes

    @property
    def key(self) -> tuple[Kind, str]:
        """A call's view and its departure exclude each other: the one with the higher version is sent."""
        return ("calls" if self.kind == "left" else self.kind), self.id


def call_item(call: CallView) -> Item:
    return Item("calls", call.id, (call.version, ""), call.model_dump_json().encode())


def departure_item(call: CallView) -> Item:
    """That the call left, for readers who may not see the queue where it is now: the id and the version, no more."""
    departure = Departure.trusted(id=call.id, version=call.version)
    return Item("left", call.id, (call.version, ""), departure.model_dump_json().encode())


def event_item(event: EventView) -> Item:
    """An event that turned void is told anew, with the version of the call that saw it void."""
    return Item("events", event.id, (event.version or 0, ""), event.model_dump_json().encode())


def alert_items(event: EventView, call: CallView) -> tuple[Item, ...]:
    """The alert that the event raised, if it did."""
    alert = AlertView.of(event, call)
    return (Item("alerts", alert.id, (event.version or 0, ""), alert.model_dump_json().encode()),) if alert else ()


def agent_item(agent: AgentView) -> Item:
    return Item("agents", agent.id, (agent.version, ""), agent.model_dump_json().encode())


class FrameBatch:
    """Shared by all connections with the same interests, and never changed once made. The topics of which something is
    `gone` must be read anew.
    """

    def __init__(
        self,
        items: Iterable[Item],
        topics: Collection[str],
        events_omitted: int = 0,
        traces: Iterable[str] = (),
        gone: Collection[str] = (),
    ) -> None:
        self.gone = frozenset(gone)
        self.events_omitted = events_omitted
        self.traces = list(dict.fromkeys(traces))[-TRACES_AT_MOST:]
        self.items: dict[tuple[Kind, str], Item] = {}
        for item in items:
            held = self.items.get(item.key)
            if held is None or held.rank <= item.rank:
                self.items[item.key] = item
        self.topics = frozenset(topics)
        sizes = [len(item.json) for item in self.items.values()]
        self.size_bytes = sum(sizes)
        # Whether each item fits a frame. One that does not must be read over REST.
        self.is_sendable = max(sizes, default=0) <= _ROOM
        self._merged: tuple[FrameBatch, FrameBatch] | None = None
        self._frames: tuple[int, Sequence[bytes]] | None = None

    def followed_by(self, later: "FrameBatch") -> "FrameBatch":
        """Both in one, conflated. Most connections ask for the same two: the answer is kept."""
        if self._merged is None or self._merged[0] is not later:
            items = (*self.items.values(), *later.items.values())
            omitted, traces = self.events_omitted + later.events_omitted, (*self.traces, *later.traces)
            self._merged = later, FrameBatch(items, self.topics | later.topics, omitted, traces).shed()
        return self._merged[1]

    def shed(self) -> "FrameBatch":
        """Itself, or where it is large without its events: the calls tell what became of them, and how many is said."""
        if self.size_bytes <= SHED_BYTES:
            return self
        kept = [item for item in self.items.values() if item.kind != "events"]
        return FrameBatch(kept, self.topics, self.events_omitted + len(self.items) - len(kept), self.traces, self.gone)

    def frames(self, position: int) -> Sequence[bytes]:
        if self._frames is None or self._frames[0] != position:
            parts = _parts(self.items.values())
            omitted = chain([self.events_omitted], repeat(0))  # said once, of all
            self._frames = (
                position,
                [_frame(position, part, rest, self.traces) for part, rest in zip(parts, omitted, strict=False)],
            )
        return self._frames[1]


def _parts(items: Iterable[Item]) -> Iterable[list[Item]]:
    part: list[Item] = []
    size = 0
    for item in items:
        if part and size + len(item.json) + 1 > _ROOM:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.json) + 1
    if part:
        yield part


def _frame(position: int, items: list[Item], events_omitted: int, traces: Sequence[str]) -> bytes:
    """`contracts.feed.Update`, put together from what is serialised already; a test holds the two together."""
    lists = (
        b'"%s":[%s]' % (kind.encode(), b",".join(item.json for item in items if item.kind == kind)) for kind in _KINDS
    )
    said = ",".join(f'"{trace}"' for trace in traces).encode()
    return b'{"type":"update","position":%d,%s,"eventsOmitted":%d,"traces":[%b]}' % (
        position,
        b",".join(lists),
        events_omitted,
        said,
    )
