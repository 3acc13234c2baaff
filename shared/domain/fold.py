"""The fold that makes a call of the set of its events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from shared.domain.call import Call, begin, evolve
from shared.domain.events import Ended, Event, Initiated
from shared.domain.legality import Verdict, judge

TICK = timedelta(microseconds=1)
MAX_TIED_EVENTS = 5  # events of one instant whose order is searched for: each more takes so many times as long


@dataclass(frozen=True, slots=True)
class Folded:
    """A call, what each event turned out to be, and undated events that found a later place than their receipt."""

    call: Call | None
    verdicts: dict[str, Verdict]
    moved: dict[str, Event]


def fold(events: Iterable[Event]) -> Folded:
    """Make the call of a set of events, given in any order.

    A dated event stands at its own time. An undated one that came too early takes the first place after its receipt
    where it is legal: behind the event that it was waiting for. Once all have their places, they keep them: the same
    events fold to the same call again.
    """
    placed = {event.id: event for event in events}
    moved: dict[str, Event] = {}
    while True:
        folded = _fold_in_place(placed.values())
        if not folded.moved:
            return Folded(folded.call, folded.verdicts, moved)
        moved |= folded.moved
        placed |= folded.moved


def _fold_in_place(events: Iterable[Event]) -> Folded:
    """One pass. Every move is to a later place behind an event that is there, so that passes come to an end."""
    call: Call | None = None
    verdicts: dict[str, Verdict] = {}
    moved: dict[str, Event] = {}
    waiting: list[Event] = []
    for tied in _by_instant(events):
        pending = (_possible(tied, call) if 1 < len(tied) <= MAX_TIED_EVENTS else None) or tied
        while pending:
            event = _next_of(pending, call)
            pending.remove(event)
            verdicts[event.id] = verdict = judge(call, event)
            if verdict is Verdict.DEFERRED and not event.dated:
                waiting.append(event)
            if verdict is not Verdict.LEGAL:
                continue
            call = append(call, event)
            while released := next((e for e in waiting if judge(call, e) is Verdict.LEGAL), None):
                waiting.remove(released)
                call, moved[released.id] = _behind(call, released)
                verdicts[released.id] = Verdict.LEGAL
    return Folded(call, verdicts, moved)


def _by_instant(events: Iterable[Event]) -> Iterator[list[Event]]:
    ordered = sorted(events, key=lambda event: event.order)
    return (list(tied) for _, tied in groupby(ordered, key=lambda event: event.order[:3]))


def _possible(tied: Sequence[Event], call: Call | None) -> list[Event] | None:
    """A clock that knows seconds only sees the end of one ring and the next at once, or a hold and a transfer. Where no
    sequence tells which came first: the first order in which all of them are legal, if there is one.
    """
    if not tied:
        return []
    for event in tied:
        if judge(call, event) is Verdict.LEGAL:
            others = [other for other in tied if other is not event]
            if (rest := _possible(others, append(call, event))) is not None:
                return [event, *rest]
        if event.sequence is not None:
            break
    return None


def _next_of(pending: Sequence[Event], call: Call | None) -> Event:
    """Where no order makes all legal, what is legal comes first; but nothing comes after the end."""
    if len(pending) > 1:
        for event in pending:
            if isinstance(event.fact, Ended):
                break
            if judge(call, event) is Verdict.LEGAL:
                return event
            if event.sequence is not None:
                break
    return pending[0]


def in_order(events: Iterable[Event]) -> list[Event]:
    """In the order in which they make the call."""
    known = {event.id: event for event in events}
    return [known[event_id] for event_id in _fold_in_place(known.values()).verdicts]


def _behind(call: Call, event: Event) -> tuple[Call, Event]:
    placed = event.moved_to(max(event.at, call.last_at + TICK))
    return evolve(call, placed), placed


def append(call: Call | None, event: Event) -> Call:
    """The call after a legal event that comes next."""
    if call is not None:
        return evolve(call, event)
    if not isinstance(event.fact, Initiated):
        raise AssertionError("judge() lets a call begin with nothing but its initiation")
    return begin(event, event.fact)
