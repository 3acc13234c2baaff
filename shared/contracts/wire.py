"""The views of `contracts.views` as the plain JSON that travels, made in one step: an event pays for each of them.

A test holds the two together.
"""

from typing import Any

import orjson

from shared.contracts.base import rfc3339
from shared.contracts.views import fact_json
from shared.domain.call import Call, Offer
from shared.domain.deadlines import flags, next_deadline
from shared.domain.events import Event, Limits, Source, duration
from shared.domain.fast import cached_rule

Json = dict[str, Any]


@cached_rule  # the sender is answered with what the floor is told
def call_words(call: Call) -> bytes:
    """As `CallView`, in JSON."""
    return orjson.dumps(call_json(call))


def call_json(call: Call) -> Json:
    offer, ended_at = call.offer, call.ended_at
    promise, waiting_since = next_deadline(call), call.waiting_since
    started = rfc3339(call.initiated_at)
    return {
        "id": call.id,
        "type": call.type,
        "status": call.status,
        "queueId": call.queue_id,
        "language": call.language,
        "priority": call.priority,
        "startTime": started,
        "endTime": rfc3339(ended_at) if ended_at else None,
        "agentId": call.agent_id or (offer.agent_id if offer else None),
        "waitingSince": started if waiting_since is call.initiated_at else waiting_since and rfc3339(waiting_since),
        "waitSeconds": call.wait_seconds,
        "holdSeconds": call.hold_seconds + call.hold_reported_seconds,
        "durationSeconds": call.duration_seconds,
        "endReason": call.end_reason,
        "flags": list(flags(call)),
        "offer": offer and _offer_json(offer, call.limits),
        "deadline": promise and {"kind": promise.kind, "dueAt": rfc3339(promise.due_at)},
        "version": call.version,
        "metadata": call.metadata,
    }


def _offer_json(offer: Offer, limits: Limits) -> Json:
    return {
        "agentId": offer.agent_id,
        "offeredAt": rfc3339(offer.offered_at),
        "dueAt": rfc3339(offer.offered_at + duration(limits.answer_seconds)),
        "attempt": offer.attempt,
    }


def event_json(event: Event, *, record_id: int, version: int | None, void: bool) -> Json:
    """As `EventView`."""
    at = rfc3339(event.at)
    return {
        "id": event.id,
        "callId": event.call_id,
        "type": event.name,
        "timestamp": at,
        "occurredAt": at if event.dated or event.source is Source.SYSTEM else None,
        "receivedAt": at if event.received_at is event.at else rfc3339(event.received_at),
        "source": event.source,
        "recordId": record_id,
        "version": version,
        "void": void,
        "metadata": (event.metadata or {}) | fact_json(event.fact),
    }


def change_words(
    event: Json, call: Call, previous_queue_id: str | None, previous_agent_id: str | None, was_flagged: bool
) -> bytes:
    """As `feed.Change`, in JSON, of an event that is JSON already."""
    return orjson.dumps(
        {
            "event": event,
            "call": orjson.Fragment(call_words(call)),
            "previousQueueId": previous_queue_id,
            "previousAgentId": previous_agent_id,
            "wasFlagged": was_flagged,
        }
    )


def status_words(event: Json, call: Call) -> bytes:
    """As `StatusMessage`, in JSON, of an event that is JSON already."""
    return orjson.dumps(
        {
            "callId": call.id,
            "status": call.status,
            "eventType": event["type"],
            "timestamp": event["timestamp"],
            "metadata": event["metadata"],
        }
    )
