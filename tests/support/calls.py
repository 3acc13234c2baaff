"""Events of calls, as senders send them."""

from collections.abc import Callable
from typing import Any

from tests.support.cloud import Json

ORDERS = ("start", "-start", "wait", "-wait", "duration", "-duration", "urgency")


Story = Callable[..., list[dict[str, Any]]]


def story(number: int, **more: Any) -> list[dict[str, Any]]:
    """A call by its number: each fifth still waits, each fourth of the others gave up, the rest were served."""
    call = {"callId": f"call-{number:03}"}
    queue = "medical_spanish" if number % 2 else "legal_english"
    begun = {
        "event": "call_initiated",
        "type": "video" if number % 7 == 0 else "voice",
        "queueId": queue,
        **call,
        **more,
    }
    if number % 3 == 0:
        begun["language"] = "es"
    if number % 5 == 0:
        return [begun]
    if number % 4 == 0:
        return [begun, {"event": "call_ended", "endReason": "abandoned", "duration": 0, **call}]
    return [
        begun,
        {"event": "call_routed", "agentId": f"agent-{number % 3}", "routingTime": 1, **call},
        {"event": "call_answered", "waitTime": 20 + number, **call},
        {"event": "call_ended", "endReason": "completed", "duration": 5 + number % 11, **call},
    ]


def missed(call_id: str, *agents: str, taken_by: str | None = None, **more: Any) -> list[dict[str, Any]]:
    """A call that these agents missed one after the other, before it was answered or abandoned."""
    events: list[dict[str, Any]] = [{"event": "call_initiated", "type": "voice", "queueId": "legal_english"}]
    for agent in agents:
        events += [
            {"event": "call_routed", "agentId": agent, "routingTime": 1},
            {"event": "call_no_answer", "agentId": agent},
        ]
    if taken_by:
        events += [
            {"event": "call_routed", "agentId": taken_by, "routingTime": 1},
            {"event": "call_answered", "waitTime": 20},
        ]
    ending = {"event": "call_ended", "endReason": "completed" if taken_by else "abandoned", "duration": 9}
    return [event | {"callId": call_id} | more for event in (*events, ending)]


BASIC_EVENTS: list[dict[str, Any]] = [
    {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "medical_spanish"},
    {"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 2},
    {"event": "call_answered", "callId": "call-1", "waitTime": 8},
    {"event": "call_hold", "callId": "call-1", "holdDuration": 20},
    {"event": "call_ended", "callId": "call-1", "endReason": "completed", "duration": 95},
]


def initiated(call_id: str, queue: str = "spanish", **more) -> dict:
    return {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": queue, **more}


def routed(call_id: str, agent_id: str = "ana") -> dict:
    return {"event": "call_routed", "callId": call_id, "agentId": agent_id, "routingTime": 1}


def answered(call_id: str, wait_seconds: float = 3) -> dict:
    return {"event": "call_answered", "callId": call_id, "waitTime": wait_seconds}


def steps_of(queue_id: str, agent_id: str) -> list[tuple[str, Json, str]]:
    """The five events of a call: each event's name, its fields, and the call's status after it."""
    return [
        ("call_initiated", {"type": "voice", "queueId": queue_id}, "waiting"),
        ("call_routed", {"agentId": agent_id, "routingTime": 1}, "waiting"),
        ("call_answered", {"waitTime": 4}, "active"),
        ("call_hold", {"holdDuration": 12}, "on_hold"),
        ("call_ended", {"endReason": "completed", "duration": 120}, "ended"),
    ]


INITIATED = {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "medical_spanish"}
