"""Batches of updates: the latest view of each call and agent, each event once, and the frames made of them."""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, repeat
from typing import Literal, NamedTuple, get_args

import orjson

from shared.contracts.feed import MAX_TRACES, Update
from shared.contracts.plain_json import compile_json
from shared.contracts.views import AgentView, AlertView, CallView, Departure, EventView

# API Gateway meters frames in units of 32 KB. The rest is for brackets and traces.
FRAME_BYTES = 32 * 1024
_ROOM = FRAME_BYTES - 256 - 64 * MAX_TRACES
MAX_BYTES_WITH_EVENTS = 2 * FRAME_BYTES

Kind = Literal["calls", "events", "agents", "alerts", "left"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
Rank = tuple[int, str]
_make_update = compile_json(Update)


class Item(NamedTuple):
    """A view, serialised once for all receivers. Of two items with the same key, the higher rank is sent."""

    kind: Kind
    id: str
    rank: Rank
    json: bytes

    @property
    def key(self) -> tuple[Kind, str]:
        """A call's view and its departure have the same key: the one with the higher version is sent."""
        return ("calls" if self.kind == "left" else self.kind), self.id


def call_item(call: CallView) -> Item:
    return Item("calls", call.id, (call.version, ""), call.model_dump_json().encode())


def departure_item(call: CallView) -> Item:
    """Only the id and the version, for readers who may not see the call's new queue."""
    departure = Departure.trusted(id=call.id, version=call.version)
    return Item("left", call.id, (call.version, ""), departure.model_dump_json().encode())


def event_item(event: EventView) -> Item:
    """An event that becomes void is sent again, with the call's new version."""
    return Item("events", event.id, (event.version or 0, ""), event.model_dump_json().encode())


def alert_items(event: EventView, call: CallView) -> tuple[Item, ...]:
    """The alert that the event raised, if any."""
    alert = AlertView.of(event, call)
    return (Item("alerts", alert.id, (event.version or 0, ""), alert.model_dump_json().encode()),) if alert else ()


def agent_item(agent: AgentView) -> Item:
    return Item("agents", agent.id, (agent.version, ""), agent.model_dump_json().encode())


class FrameBatch:
    """Updates for all connections with the same subscriptions. Immutable.

    events_omitted: events that were dropped because the batch was large.
    reset_topics: topics that the client must read again.
    is_sendable: whether each item fits into a frame. A larger item must be read over REST.
    """

    def __init__(
        self,
        items: Iterable[Item],
        topics: Collection[str],
        events_omitted: int = 0,
        traces: Iterable[str] = (),
        reset_topics: Collection[str] = (),
    ) -> None:
        self.reset_topics = frozenset(reset_topics)
        self.events_omitted = events_omitted
        self.traces = list(dict.fromkeys(traces))[-MAX_TRACES:]
        self.items: dict[tuple[Kind, str], Item] = {}
        for item in items:
            known = self.items.get(item.key)
            if known is None or known.rank <= item.rank:
                self.items[item.key] = item
        self.topics = frozenset(topics)
        sizes = [len(item.json) for item in self.items.values()]
        self.size_bytes = sum(sizes)
        self.is_sendable = max(sizes, default=0) <= _ROOM
        self._merged: tuple[FrameBatch, FrameBatch] | None = None
        self._frames: tuple[int, Sequence[bytes]] | None = None

    def followed_by(self, later: "FrameBatch") -> "FrameBatch":
        """Both batches, conflated. The result is cached, because many connections merge the same two batches."""
        if self._merged is None or self._merged[0] is not later:
            items = (*self.items.values(), *later.items.values())
            omitted, traces = self.events_omitted + later.events_omitted, (*self.traces, *later.traces)
            self._merged = (
                later,
                FrameBatch(items, self.topics | later.topics, omitted, traces).without_events_if_large(),
            )
        return self._merged[1]

    def without_events_if_large(self) -> "FrameBatch":
        """This batch, or one without events if it is large. The calls show the results of the omitted events."""
        if self.size_bytes <= MAX_BYTES_WITH_EVENTS:
            return self
        kept = [item for item in self.items.values() if item.kind != "events"]
        return FrameBatch(
            kept, self.topics, self.events_omitted + len(self.items) - len(kept), self.traces, self.reset_topics
        )

    def frames(self, position: int) -> Sequence[bytes]:
        if self._frames is None or self._frames[0] != position:
            parts = _parts(self.items.values())
            omitted = chain([self.events_omitted], repeat(0))  # only in the first frame
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
    """Return an encoded `Update` of views that are encoded already."""
    lists = {
        kind: orjson.Fragment(b"[%b]" % b",".join([item.json for item in items if item.kind == kind]))
        for kind in _KINDS
    }
    update = _make_update(type="update", position=position, events_omitted=events_omitted, traces=traces, **lists)
    return orjson.dumps(update)
