"""What an agent did when: the words of calls and of the agent, in order of time, make spans of one status each. Pure.

A call's words follow from its events, whatever order they came in, and an agent's spans from the words: so the same
facts give the same spans. Where several calls have an agent at once, the strongest counts: talking, then ringing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.agent import ENGAGED, AgentStatus
from shared.domain.call import Call, Status, as_met_by
from shared.domain.events import Event, Initiated
from shared.domain.fast import fast_frozen
from shared.domain.fold import append, in_order
from shared.domain.legality import IN_CONVERSATION

OFFLINE, AVAILABLE, AWAY, WRAP_UP = AgentStatus.OFFLINE, AgentStatus.AVAILABLE, AgentStatus.AWAY, AgentStatus.WRAP_UP
A_YEAR = timedelta(days=366)  # what is reported later than that changes nobody's time
_STRENGTH = (AgentStatus.ON_CALL, AgentStatus.OFFERED, WRAP_UP)


@fast_frozen
class Standing:
    """What an agent said last, who has the agent, and how many calls in a row the agent missed."""

    said: AgentStatus = OFFLINE
    held: tuple[tuple[str, AgentStatus], ...] = ()
    misses: int = 0

    @property
    def status(self) -> AgentStatus:
        statuses = [status for _, status in self.held]
        return next((status for status in _STRENGTH if status in statuses), self.said)


@fast_frozen
class Word:
    """That from `at` on a call has the agent, or lets go; or what the agent says to be.

    `source` is the call's id (`of_call`) or the report's. A call's words on one agent are counted by `step`. A call
    that lets go after a miss says `away`: so is the agent after `forgives` misses in a row. What was forgotten before
    `at` is `carried` over by a first word that says nothing else.
    """

    at: datetime
    of_call: bool
    source: str
    step: int
    status: AgentStatus
    forgives: int = 1
    carried: Standing | None = None

    @property
    def order(self) -> tuple[datetime, bool, str, int]:
        """In one instant agents speak before calls, so that who has just signed in can be rung."""
        return self.at, self.of_call, self.source, self.step


@fast_frozen
class Span:
    """`standing` from `word` on, until `ended`; None where nothing is known to come after it."""

    word: Word
    standing: Standing
    ended: datetime | None


def words(events: Iterable[Event]) -> Iterator[tuple[str, str, Word]]:
    """What a call says of agents, by its applied events: the agent, the queue the call was in, the word.

    A call that began as history moves nobody.
    """
    call: Call | None = None
    step = 0
    for event in in_order(events):
        if call is None and not isinstance(event.fact, Initiated):
            continue  # its beginning was forgotten
        before, call = call, append(call, event)
        if call.history:
            return
        for agent_id, at, status in _course(before, call, event):
            if event.received_at - at < A_YEAR:
                yield agent_id, (before or call).queue_id, Word(at, True, call.id, step, status)
            step += 1


def _course(before: Call | None, after: Call, event: Event) -> Iterator[tuple[str, datetime, AgentStatus]]:
    """An offer that had lapsed by then was missed before."""
    if before and (due_at := before.offer_due_at) and (missed := as_met_by(before, event)) is not before:
        yield from _changed(before, missed, due_at)
        before = missed
    yield from _changed(before, after, event.at)


def _changed(before: Call | None, after: Call, at: datetime) -> Iterator[tuple[str, datetime, AgentStatus]]:
    left, taken = before and _engaged(before), _engaged(after)
    if left == taken:
        return
    if before and left and not (taken and taken[0] == left[0]):
        yield from _let_go(before, after, left, at)
    if taken:
        yield taken[0], at, taken[1]


def _let_go(
    before: Call, after: Call, left: tuple[str, AgentStatus], at: datetime
) -> Iterator[tuple[str, datetime, AgentStatus]]:
    agent_id, status = left
    wrap_up = timedelta(seconds=after.limits.wrap_up_seconds)
    if after.misses > before.misses:
        yield agent_id, at, AWAY
    elif wrap_up and after.status is Status.ENDED and status is AgentStatus.ON_CALL:
        yield agent_id, at, WRAP_UP
        yield agent_id, at + wrap_up, AVAILABLE
    else:
        yield agent_id, at, AVAILABLE


def _engaged(call: Call) -> tuple[str, AgentStatus] | None:
    if call.offer:
        return call.offer.agent_id, AgentStatus.OFFERED
    if call.agent_id and call.status in IN_CONVERSATION:
        return call.agent_id, AgentStatus.ON_CALL
    return None


def spans(said: Iterable[Word], standing: Standing) -> list[Span]:
    """In the order of time, each until the next, from what stood before them. Some may last no time at all."""
    found: list[Span] = []
    for word in sorted(said, key=lambda word: word.order):
        standing = word.carried or follow(standing, word)
        if found:
            found[-1] = replace(found[-1], ended=word.at)
        found.append(Span(word, standing, None))
    return found


def follow(standing: Standing, word: Word) -> Standing:
    """As the live record does: see `RELEASE_AGENTS` and `ENGAGE_AGENTS`."""
    if not word.of_call:
        return _spoken(standing, word.status)
    if word.status in ENGAGED:
        return _taken(standing, word)
    if word.status is WRAP_UP:
        return replace(standing, held=_without(standing, word.source, (word.source, WRAP_UP)))
    if all(call_id != word.source for call_id, _ in standing.held):
        return standing  # the agent has left the wrap-up meanwhile
    free = replace(standing, held=_without(standing, word.source))
    return _missed(free, word) if word.status is AWAY else _freed(free)


def _spoken(standing: Standing, status: AgentStatus) -> Standing:
    """What is said during a call holds after it; otherwise at once. Nothing is wrapped up any more."""
    if standing.status in ENGAGED:
        return replace(_wrapped_up(standing), said=status)
    return Standing(status)


def _taken(standing: Standing, word: Word) -> Standing:
    """Who does not say otherwise meanwhile is available afterwards. A wrap-up waits behind a ring, but not a talk."""
    said, own = standing.said if standing.held else AVAILABLE, (word.source, word.status)
    if word.status is AgentStatus.OFFERED:
        return replace(standing, said=said, held=_without(standing, word.source, own))
    return Standing(said, _without(_wrapped_up(standing), word.source, own))


def _missed(standing: Standing, word: Word) -> Standing:
    misses = standing.misses + 1
    if misses >= word.forgives:
        standing = _wrapped_up(standing)  # who is away wraps up no more
    if standing.said is not AVAILABLE:
        return _freed(standing)
    return replace(standing, misses=misses, said=AWAY if misses >= word.forgives else AVAILABLE)


def _freed(standing: Standing) -> Standing:
    return standing if standing.held or standing.said is AVAILABLE else replace(standing, misses=0)


def _wrapped_up(standing: Standing) -> Standing:
    return replace(standing, held=tuple(claim for claim in standing.held if claim[1] in ENGAGED))


def _without(standing: Standing, call_id: str, *more: tuple[str, AgentStatus]) -> tuple[tuple[str, AgentStatus], ...]:
    return (*(claim for claim in standing.held if claim[0] != call_id), *more)
