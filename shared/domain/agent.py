"""The claims of a call on agents, and the effects on agents when an event changes the claims."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from shared.domain.call import Call, Status
from shared.domain.fast import fast_frozen


class AgentStatus(StrEnum):
    OFFLINE = "offline"
    AVAILABLE = "available"
    OFFERED = "offered"
    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    AWAY = "away"


ENGAGED = (AgentStatus.OFFERED, AgentStatus.ON_CALL)
NO_ANSWER = "no_answer"


@fast_frozen
class Effect:
    """A new status of an agent because of a call. It has no effect if another call has the agent.

    - `since`: the beginning of the status.
    - `engaged_since`: the beginning of the conversation that ended, or of the offer that was missed.
    - `known`: the miss is counted already, because telephony confirms a timeout with its own time.
    """

    agent_id: str
    call_id: str
    status: AgentStatus
    since: datetime
    reason: str | None = None
    engaged_since: datetime | None = None
    known: bool = False


def assignments(call: Call | None) -> dict[str, Effect]:
    """Return the call's claim on each of its agents. An imported call has no claims."""
    if call is None or call.history:
        return {}
    claims: dict[str, Effect] = {}
    for miss in call.missed:
        claims[miss.agent_id] = Effect(miss.agent_id, call.id, AgentStatus.AWAY, miss.at, NO_ANSWER, miss.offered_at)
    if offer := call.offer:
        claims[offer.agent_id] = Effect(offer.agent_id, call.id, AgentStatus.OFFERED, offer.offered_at)
    if call.agent_id and call.talking_since:
        claims[call.agent_id] = _served(call, call.agent_id, call.talking_since)
    return claims


def _served(call: Call, agent_id: str, talking_since: datetime) -> Effect:
    if call.status is not Status.ENDED or call.ended_at is None:
        return Effect(agent_id, call.id, AgentStatus.ON_CALL, talking_since)
    after = AgentStatus.WRAP_UP if call.limits.wrap_up_seconds else AgentStatus.AVAILABLE
    return Effect(agent_id, call.id, after, call.ended_at, engaged_since=talking_since)


def agent_effects(before: Call | None, after: Call | None, at: datetime) -> tuple[Effect, ...]:
    """Return the changes to agents when a call changes from `before` to `after`, in the order of the agents' ids.

    An agent without a claim is available again: after a conversation since `at`, and after an offer since the offer's
    beginning. An offer that was replaced or disproved does not cost the agent the place among the idle agents.
    """
    held, claimed = assignments(before), assignments(after)
    if held == claimed:
        return ()
    freed = [
        Effect(
            agent_id, claim.call_id, AgentStatus.AVAILABLE, at if claim.status is AgentStatus.ON_CALL else claim.since
        )
        for agent_id, claim in held.items()
        if agent_id not in claimed
    ]
    changed = [
        replace(claim, known=True) if _is_known_miss(agent_id, before, after, held.get(agent_id), claim) else claim
        for agent_id, claim in claimed.items()
        if held.get(agent_id) != claim
    ]
    return tuple(sorted(freed + changed, key=lambda effect: effect.agent_id))


def _is_known_miss(agent_id: str, before: Call | None, after: Call | None, held: Effect | None, claim: Effect) -> bool:
    """Whether a claim after a miss repeats a counted miss with another time."""
    if not (before and after and held) or not held.status is claim.status is AgentStatus.AWAY:
        return False
    return before.missed_by.count(agent_id) == after.missed_by.count(agent_id)
