"""What an agent did when: the words of calls and of the agent, in order of time, make spans of one status each. Pure.

A call's words follow from its events, whatever order they came in, and an agent's spans from the words: so the same
facts give the same spans. Where several calls have an agent at once, the strongest counts: talking, then ringing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.agent import ENGAGED, AgentStatus
from shared.domain.call import Call, Status, with_missed_offer
from shared.domain.events import Event, Initiated
from shared.domain.fast import fast_frozen
from shared.domain.fold import append, in_order
from shared.domain.legality import IN_CONVERSATION

OFFLINE, AVAILABLE, AWAY, WRAP_UP = AgentStatus.OFFLINE, AgentStatus.AVAILABLE, AgentStatus.AWAY, AgentStatus.WRAP_UP
MAX_REPORT_DELAY = timedelta(days=366)  # what is reported later than that changes nobody's time
_STRENGTH = (AgentStatus.ON_CALL, AgentStatus.OFFERED, WRAP_UP)


@fast_frozen
class AgentState:
    """What an agent said last, who has the agent, and how many calls in a row the agent missed."""

    reported: AgentStatus = OFFLINE
    claims: tuple[tuple[str, AgentStatus], ...] = ()
    misses: int = 0

    @property
    def status(self) -> AgentStatus:
        statuses = [status for _, status in self.claims]
        return next((status for status in _STRENGTH if status in statuses), self.reported)


@fast_frozen
class AgentCause:
    """That from `at` on a call has the agent, or lets go; or what the agent says to be.

    `source` is the call's id (`of_call`) or the report's. A call's words on one agent are counted by `step`. A call
    that lets go after a miss says `away`: so is the agent after `max_misses` misses in a row. What was forgotten before
    `at` is `carried_state` over by a first word that says nothing else.
    """

    at: datetime
    of_call: bool
    source: str
    step: int
    status: AgentStatus
    max_misses: int = 1
    carried_state: AgentState | None = None

    @property
    def order(self) -> tuple[datetime, bool, str, int]:
        """In one instant agents speak before calls, so that who has just signed in can be rung."""
        return self.at, self.of_call, self.source, self.step


@fast_frozen
class AgentInterval:
    """`state` from `cause` on, until `ended`; None where nothing is known to come after it."""

    cause: AgentCause
    state: AgentState
    ended: datetime | None


def agent_causes(events: Iterable[Event]) -> Iterator[tuple[str, str, AgentCause]]:
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
            if event.received_at - at < MAX_REPORT_DELAY:
                yield agent_id, (before or call).queue_id, AgentCause(at, True, call.id, step, status)
            step += 1


def _course(before: Call | None, after: Call, event: Event) -> Iterator[tuple[str, datetime, AgentStatus]]:
    """An offer that had lapsed by then was missed before."""
    if before and (due_at := before.offer_due_at) and (missed := with_missed_offer(before, event)) is not before:
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


def intervals(causes: Iterable[AgentCause], state: AgentState) -> list[AgentInterval]:
    """In the order of time, each until the next, from what stood before them. Some may last no time at all."""
    found: list[AgentInterval] = []
    for cause in sorted(causes, key=lambda cause: cause.order):
        state = cause.carried_state or next_state(state, cause)
        if found:
            found[-1] = replace(found[-1], ended=cause.at)
        found.append(AgentInterval(cause, state, None))
    return found


def next_state(state: AgentState, cause: AgentCause) -> AgentState:
    """As the live record does: see `RELEASE_AGENTS` and `ENGAGE_AGENTS`."""
    if not cause.of_call:
        return _spoken(state, cause.status)
    if cause.status in ENGAGED:
        return _taken(state, cause)
    if cause.status is WRAP_UP:
        return replace(state, claims=_without(state, cause.source, (cause.source, WRAP_UP)))
    if all(call_id != cause.source for call_id, _ in state.claims):
        return state  # the agent has left the wrap-up meanwhile
    free = replace(state, claims=_without(state, cause.source))
    return _missed(free, cause) if cause.status is AWAY else _freed(free)


def _spoken(state: AgentState, status: AgentStatus) -> AgentState:
    """What is said during a call holds after it; otherwise at once. Nothing is wrapped up any more."""
    if state.status in ENGAGED:
        return replace(_wrapped_up(state), reported=status)
    return AgentState(status)


def _taken(state: AgentState, cause: AgentCause) -> AgentState:
    """Who does not say otherwise meanwhile is available afterwards. A wrap-up waits behind a ring, but not a talk."""
    reported, own = state.reported if state.claims else AVAILABLE, (cause.source, cause.status)
    if cause.status is AgentStatus.OFFERED:
        return replace(state, reported=reported, claims=_without(state, cause.source, own))
    return AgentState(reported, _without(_wrapped_up(state), cause.source, own))


def _missed(state: AgentState, cause: AgentCause) -> AgentState:
    misses = state.misses + 1
    if misses >= cause.max_misses:
        state = _wrapped_up(state)  # who is away wraps up no more
    if state.reported is not AVAILABLE:
        return _freed(state)
    return replace(state, misses=misses, reported=AWAY if misses >= cause.max_misses else AVAILABLE)


def _freed(state: AgentState) -> AgentState:
    return state if state.claims or state.reported is AVAILABLE else replace(state, misses=0)


def _wrapped_up(state: AgentState) -> AgentState:
    return replace(state, claims=tuple(claim for claim in state.claims if claim[1] in ENGAGED))


def _without(state: AgentState, call_id: str, *more: tuple[str, AgentStatus]) -> tuple[tuple[str, AgentStatus], ...]:
    return (*(claim for claim in state.claims if claim[0] != call_id), *more)
