"""The fold: computes a call from the set of its events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from shared.domain.call import Call, begin, evolve
from shared.domain.events import Ended, Event, Initiated
from shared.domain.legality import Verdict, judge

TICK = timedelta(microseconds=1)  # the smallest distance of two times
MAX_TIED_EVENTS = 5  # of one instant, whose order is searched: the time grows with the factorial of the number


@dataclass(frozen=True, slots=True)
class Folded:
    """A call, the verdict on each event by its id, and the undated events that moved to a time after their receipt."""

    call: Call | None
    verdicts: dict[str, Verdict]
    moved: dict[str, Event]


def fold(events: Iterable[Event]) -> Folded:
    """Compute the call of a set of events, given in any order. The same events always give the same call.

    A dated event has its own time. An undated event that is not legal yet moves to the first time after its receipt at
    which it is legal, directly after the event that it waits for.
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
    """Do one pass. Each move is to a later time after an existing event, so the number of passes is finite."""
    call: Call | None = None
    verdicts: dict[str, Verdict] = {}
    moved: dict[str, Event] = {}
    waiting: list[Event] = []
    for tied in _by_instant(events):
        pending = (_legal_order(tied, call) if 1 < len(tied) <= MAX_TIED_EVENTS else None) or tied
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
                call, moved[released.id] = _place_after(call, released)
                verdicts[released.id] = Verdict.LEGAL
    return Folded(call, verdicts, moved)


def _by_instant(events: Iterable[Event]) -> Iterator[list[Event]]:
    ordered = sorted(events, key=lambda event: event.order)
    return (list(tied) for _, tied in groupby(ordered, key=lambda event: event.order[:3]))


def _legal_order(tied: Sequence[Event], call: Call | None) -> list[Event] | None:
    """Return the first order of events of one instant in which all are legal; None if there is none.

    A clock with whole seconds reports the end of one ring and the next ring at the same time. The events may have no
    sequence.
    """
    if not tied:
        return []
    for event in tied:
        if judge(call, event) is Verdict.LEGAL:
            others = [other for other in tied if other is not event]
            if (rest := _legal_order(others, append(call, event))) is not None:
                return [event, *rest]
        if event.sequence is not None:
            break
    return None


def _next_of(pending: Sequence[Event], call: Call | None) -> Event:
    """Return the next event if no order makes all legal: a legal one first, but none after an end."""
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
    """Return the events in the order in which the fold applies them."""
    known = {event.id: event for event in events}
    return [known[event_id] for event_id in _fold_in_place(known.values()).verdicts]


def _place_after(call: Call, event: Event) -> tuple[Call, Event]:
    placed = event.moved_to(max(event.at, call.last_at + TICK))
    return evolve(call, placed), placed


def append(call: Call | None, event: Event) -> Call:
    """Return the call after a legal event that follows all others."""
    if call is not None:
        return evolve(call, event)
    if not isinstance(event.fact, Initiated):
        raise AssertionError("judge() lets a call begin only with call_initiated")
    return begin(event, event.fact)
