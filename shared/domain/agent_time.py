"""An agent's time: intervals of one status each, computed from calls and from the agent's reports.

The causes of a call follow from the set of its events, and an agent's intervals follow from the causes. So the same
facts give the same intervals. If several calls have an agent at once, `on_call` precedes `offered`.
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
MAX_REPORT_DELAY = timedelta(days=366)  # reports with a longer delay change no intervals
_STRENGTH = (AgentStatus.ON_CALL, AgentStatus.OFFERED, WRAP_UP)


@fast_frozen
class AgentState:
    """The state of an agent: the latest report, the calls that have the agent, and the missed offers in a row."""

    reported: AgentStatus = OFFLINE
    claims: tuple[tuple[str, AgentStatus], ...] = ()
    misses: int = 0

    @property
    def status(self) -> AgentStatus:
        statuses = [status for _, status in self.claims]
        return next((status for status in _STRENGTH if status in statuses), self.reported)


@fast_frozen
class AgentCause:
    """The cause of a change: a call takes or releases the agent, or the agent reports a status.

    - `at`: the time of the change.
    - `of_call`, `source`: whether a call is the cause, and the id of the call or the report.
    - `step`: the number of the cause among those of its call.
    - `status`: the claim of the call, or the reported status. A call that releases an agent after a miss has `away`.
    - `max_misses`: the number of missed offers in a row after which the agent is away.
    - `carried_state`: the state at `at`, if earlier causes were deleted. Such a cause changes nothing else.
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
        """The sort key. A report precedes calls of the same time, so an agent who just signed in can get an offer."""
        return self.at, self.of_call, self.source, self.step


@fast_frozen
class AgentInterval:
    """The `state` of an agent from `cause` until `ended`; None if no later cause is known."""

    cause: AgentCause
    state: AgentState
    ended: datetime | None


def agent_causes(events: Iterable[Event]) -> Iterator[tuple[str, str, AgentCause]]:
    """Yield the agent, the queue of the call, and the cause, for each change by the applied events of a call.

    An imported call moves no agents.
    """
    call: Call | None = None
    step = 0
    for event in in_order(events):
        if call is None and not isinstance(event.fact, Initiated):
            continue  # call_initiated was deleted
        before, call = call, append(call, event)
        if call.history:
            return
        for agent_id, at, status in _changes_of_event(before, call, event):
            if event.received_at - at < MAX_REPORT_DELAY:
                yield agent_id, (before or call).queue_id, AgentCause(at, True, call.id, step, status)
            step += 1


def _changes_of_event(before: Call | None, after: Call, event: Event) -> Iterator[tuple[str, datetime, AgentStatus]]:
    """Yield agents with their times and statuses. An offer whose deadline is over is missed first."""
    if before and (due_at := before.offer_due_at) and (missed := with_missed_offer(before, event)) is not before:
        yield from _changed(before, missed, due_at)
        before = missed
    yield from _changed(before, after, event.at)


def _changed(before: Call | None, after: Call, at: datetime) -> Iterator[tuple[str, datetime, AgentStatus]]:
    left, taken = before and _engaged(before), _engaged(after)
    if left == taken:
        return
    if before and left and not (taken and taken[0] == left[0]):
        yield from _release(before, after, left, at)
    if taken:
        yield taken[0], at, taken[1]


def _release(
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
    """Return the intervals in order of time, from the state before them. An interval can have no length."""
    result: list[AgentInterval] = []
    for cause in sorted(causes, key=lambda cause: cause.order):
        state = cause.carried_state or next_state(state, cause)
        if result:
            result[-1] = replace(result[-1], ended=cause.at)
        result.append(AgentInterval(cause, state, None))
    return result


def next_state(state: AgentState, cause: AgentCause) -> AgentState:
    """Return the state after a cause. `RELEASE_AGENTS` and `ENGAGE_AGENTS` do the same to the agents' rows."""
    if not cause.of_call:
        return _report(state, cause.status)
    if cause.status in ENGAGED:
        return _take(state, cause)
    if cause.status is WRAP_UP:
        return replace(state, claims=_without(state, cause.source, (cause.source, WRAP_UP)))
    if all(call_id != cause.source for call_id, _ in state.claims):
        return state  # the agent has left the wrap-up already
    free = replace(state, claims=_without(state, cause.source))
    return _miss(free, cause) if cause.status is AWAY else _free(free)


def _report(state: AgentState, status: AgentStatus) -> AgentState:
    """A report during a call applies after it, and otherwise at once. It ends a wrap-up."""
    if state.status in ENGAGED:
        return replace(_end_wrap_up(state), reported=status)
    return AgentState(status)


def _take(state: AgentState, cause: AgentCause) -> AgentState:
    """After the call the agent is available unless a report changes that. A talk ends a wrap-up, an offer does not."""
    reported, own = state.reported if state.claims else AVAILABLE, (cause.source, cause.status)
    if cause.status is AgentStatus.OFFERED:
        return replace(state, reported=reported, claims=_without(state, cause.source, own))
    return AgentState(reported, _without(_end_wrap_up(state), cause.source, own))


def _miss(state: AgentState, cause: AgentCause) -> AgentState:
    misses = state.misses + 1
    if misses >= cause.max_misses:
        state = _end_wrap_up(state)  # away ends a wrap-up
    if state.reported is not AVAILABLE:
        return _free(state)
    return replace(state, misses=misses, reported=AWAY if misses >= cause.max_misses else AVAILABLE)


def _free(state: AgentState) -> AgentState:
    return state if state.claims or state.reported is AVAILABLE else replace(state, misses=0)


def _end_wrap_up(state: AgentState) -> AgentState:
    return replace(state, claims=tuple(claim for claim in state.claims if claim[1] in ENGAGED))


def _without(state: AgentState, call_id: str, *more: tuple[str, AgentStatus]) -> tuple[tuple[str, AgentStatus], ...]:
    return (*(claim for claim in state.claims if claim[0] != call_id), *more)
