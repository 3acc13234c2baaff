"""The views of `contracts.views` as the plain JSON that travels, made in one step: an event pays for each of them.

A test holds the two together.
"""

from typing import Any

from shared.contracts.base import rfc3339
from shared.contracts.views import fact_fields
from shared.domain.call import Call
from shared.domain.facts import Event, Source
from shared.domain.rules import flags, next_promise

Json = dict[str, Any]

_KEPT = 1024
_known: dict[int, tuple[Call, Json]] = {}


def call_json(call: Call) -> Json:
    """As `CallView`. The sender is answered with what the floor is told: that is made once. Never change it."""
    held = _known.get(id(call))
    if held is None:
        if len(_known) >= _KEPT:
            _known.clear()
        held = _known[id(call)] = call, _call_json(call)  # the call is kept with it, so its identity stays its own
    return held[1]


def _call_json(call: Call) -> Json:
    offer, ended_at = call.offer, call.ended_at
    return {
        "id": call.id,
        "type": call.type,
        "status": call.status,
        "queueId": call.queue_id,
        "language": call.language,
        "priority": call.priority,
        "startTime": rfc3339(call.initiated_at),
        "endTime": rfc3339(ended_at) if ended_at else None,
        "agentId": call.agent_id or (offer.agent_id if offer else None),
        "waitSeconds": call.wait_seconds,
        "holdSeconds": call.hold_seconds + call.hold_reported_seconds,
        "durationSeconds": call.duration_seconds,
        "endReason": call.end_reason,
        "flags": list(flags(call)),
        "offer": _offer_json(call),
        "deadline": _deadline_json(call),
        "version": call.version,
        "metadata": call.metadata,
    }


def _offer_json(call: Call) -> Json | None:
    offer, due_at = call.offer, call.offer_due_at
    if offer is None or due_at is None:
        return None
    return {
        "agentId": offer.agent_id,
        "offeredAt": rfc3339(offer.offered_at),
        "dueAt": rfc3339(due_at),
        "attempt": offer.attempt,
    }


def _deadline_json(call: Call) -> Json | None:
    first = next_promise(call)
    return first and {"kind": first.kind, "dueAt": rfc3339(first.due_at)}


def event_json(event: Event, *, position: int, version: int | None, void: bool) -> Json:
    """As `EventView`."""
    at = rfc3339(event.at)
    return {
        "id": event.id,
        "callId": event.call_id,
        "type": event.name,
        "timestamp": at,
        "occurredAt": at if event.dated or event.source is Source.SYSTEM else None,
        "receivedAt": rfc3339(event.received_at),
        "source": event.source,
        "position": position,
        "version": version,
        "void": void,
        "metadata": (event.metadata or {}) | fact_fields(event.fact),
    }


def status_json(call: Json, event: Json) -> Json:
    """As `StatusMessage`, of a call and an event that are JSON already."""
    return {
        "callId": call["id"],
        "status": call["status"],
        "eventType": event["type"],
        "timestamp": event["timestamp"],
        "metadata": event["metadata"],
    }
