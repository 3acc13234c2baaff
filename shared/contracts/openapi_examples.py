"""Examples for the OpenAPI document: one call from its beginning to its end, and the responses about it.

Tests check each against its schema, and send the requests to the real handlers.
"""

from typing import Any

from shared.contracts.problems import problem

Json = dict[str, Any]

CALL_ID, QUEUE_ID, AGENT_ID = "call-1", "medical_spanish", "interpreter-07"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ETAG = 'W/"0c6a3e5e0f3d4b0f9d2c7a11"'
CURSOR = "eyJhZnRlciI6ImNhbGwtMSJ9"

PATH: dict[str, str] = {"call_id": CALL_ID, "queue_id": QUEUE_ID, "agent_id": AGENT_ID}

# For each event: a summary and the body. The five basic events are first.
EVENTS: dict[str, tuple[str, Json]] = {
    "call_initiated": (
        "A caller arrives in a queue",
        {"event": "call_initiated", "callId": CALL_ID, "type": "voice", "queueId": QUEUE_ID, "language": "es"},
    ),
    "call_routed": (
        "An agent's phone rings",
        {"event": "call_routed", "callId": CALL_ID, "agentId": AGENT_ID, "routingTime": 1.5},
    ),
    "call_answered": (
        "The agent answers",
        {"event": "call_answered", "callId": CALL_ID, "agentId": AGENT_ID, "waitTime": 8.2},
    ),
    "call_hold": ("The caller is put on hold", {"event": "call_hold", "callId": CALL_ID, "holdDuration": 0}),
    "call_ended": (
        "The call ends",
        {"event": "call_ended", "callId": CALL_ID, "endReason": "completed", "duration": 420},
    ),
    "call_resumed": ("The hold ends", {"event": "call_resumed", "callId": CALL_ID}),
    "call_no_answer": (
        "The agent did not answer",
        {"event": "call_no_answer", "callId": "call-2", "agentId": AGENT_ID},
    ),
    "call_transferred": (
        "The call moves to another queue",
        {"event": "call_transferred", "callId": "call-2", "queueId": "legal_spanish"},
    ),
    "agent_status_changed": (
        "An agent signs on, goes away or signs off",
        {"event": "agent_status_changed", "agentId": AGENT_ID, "status": "available"},
    ),
}
ALL_FIELDS: Json = {
    "event": "call_initiated",
    "callId": "call-3",
    "type": "video",
    "queueId": QUEUE_ID,
    "language": "es",
    "priority": 5,
    "eventId": "pbx-1-000042",
    "occurredAt": "2026-01-31T12:00:00.000Z",
    "sequence": 1,
    "metadata": {"hospital": "St. Mary", "room": "4B"},
}
BATCH: list[Json] = [
    {"event": "call_initiated", "callId": "call-4", "type": "voice", "queueId": QUEUE_ID, "eventId": "pbx-1-000051"},
    {"event": "call_ended", "callId": "call-4", "endReason": "abandoned", "duration": 0, "eventId": "pbx-1-000052"},
]
QUEUE_SETUP: Json = {
    "name": "Medical Spanish", "language": "es", "slaSeconds": 30, "answerSeconds": 15, "holdSeconds": 60,
    "shortCallSeconds": 10, "wrapUpSeconds": 20,
}  # fmt: skip
AGENT_SETUP: Json = {
    "name": "Gloria Peña", "languages": ["es", "en"], "queues": [QUEUE_ID, "medical_english"],
    "skills": {QUEUE_ID: 3}, "status": "available",
}  # fmt: skip

_STARTED, _ENDED = "2026-01-31T12:00:00.000Z", "2026-01-31T12:07:08.200Z"
_WAITING: Json = {
    "id": CALL_ID, "type": "voice", "status": "waiting", "queueId": QUEUE_ID, "language": "es", "startTime": _STARTED,
    "endTime": None, "agentId": None, "waitingSince": _STARTED, "waitSeconds": None, "holdSeconds": 0,
    "durationSeconds": None, "endReason": None, "flags": [], "offer": None,
    "deadline": {"kind": "sla_wait", "dueAt": "2026-01-31T12:00:30.000Z"}, "priority": None, "version": 1,
    "metadata": {},
}  # fmt: skip
CALL: Json = {**_WAITING, "status": "active", "agentId": AGENT_ID, "waitingSince": None, "waitSeconds": 8.2,
              "deadline": None, "version": 3}  # fmt: skip
_CALL_ENDED: Json = {**CALL, "status": "ended", "endTime": _ENDED, "holdSeconds": 41.5, "durationSeconds": 420,
                     "endReason": "completed", "version": 5}  # fmt: skip
QUEUE: Json = {
    "id": QUEUE_ID, **QUEUE_SETUP, "routing": "telephony", "strategy": "longest_idle", "missesBeforeAway": 1,
    "priority": 0, "agingSeconds": 60, "overflowSeconds": None, "overflowQueueId": None,
}  # fmt: skip
AGENT: Json = {
    "id": AGENT_ID, "name": "Gloria Peña", "languages": ["es", "en"], "queues": [QUEUE_ID, "medical_english"],
    "status": "on_call", "statusSince": "2026-01-31T12:00:08.200Z", "callId": CALL_ID, "reason": None,
    "skills": {QUEUE_ID: 3}, "misses": 0, "version": 3,
}  # fmt: skip


def _recorded(number: int, event: str, at: str, **fields: Any) -> Json:  # noqa: ANN401 - each event's own
    return {
        "id": f"01a22d88-2fca-76e5-a9b4-639714e45b6{number}", "callId": CALL_ID, "type": event, "timestamp": at,
        "occurredAt": None, "receivedAt": at, "source": "telephony", "recordId": 1000 + number, "version": number,
        "void": False, "metadata": fields,
    }  # fmt: skip


HISTORY: Json = {
    "data": [
        _recorded(1, "call_initiated", _STARTED, type="voice", queueId=QUEUE_ID, language="es", slaSeconds=30),
        _recorded(2, "call_routed", "2026-01-31T12:00:01.500Z", agentId=AGENT_ID, routingTime=1.5),
        _recorded(3, "call_answered", "2026-01-31T12:00:08.200Z", agentId=AGENT_ID, waitTime=8.2),
        _recorded(4, "call_hold", "2026-01-31T12:03:00.000Z", holdDuration=0),
        _recorded(5, "call_ended", _ENDED, endReason="completed", duration=420),
    ],
    "nextCursor": None,
}
_ANSWERED: Json = {"eventId": "01a22d88-2fca-76e5-a9b4-639714e45b61", "callId": CALL_ID, "outcome": "applied"}
_REFUSED = problem(400, "There is no queue nowhere.", ("queueId", "is not a queue known here")).model_dump()
CALLS: dict[str, tuple[str, Json]] = {
    "page": ("A page of calls", {"data": [CALL], "nextCursor": CURSOR, "position": 789}),
    "changes": (
        "With `since`: what changed",
        {"position": 793, "reset": False, "calls": [_CALL_ENDED], "left": [{"id": "call-4", "version": 2}],
         "agents": [AGENT]},
    ),
    "selected": (
        "With `fields=id,status`",
        {"data": [{"id": CALL_ID, "status": "active"}], "nextCursor": None, "position": 789,
         "fields": ["id", "status"]},
    ),
}  # fmt: skip
CALLS_CSV = "id,status,queueId,waitSeconds\r\ncall-1,active,medical_spanish,8.2\r\n"
CALLS_NDJSON = '{"id":"call-1","status":"active"}\n{"id":"call-2","status":"waiting"}\n'

_LINKED = "/api/calls?from=2026-01-31T12:00:00.000Z&to=2026-01-31T13:00:00.000Z&queueId=medical_spanish"
METRICS: Json = {
    "from": "2026-01-31T12:00:00.000Z", "to": "2026-01-31T13:00:00.000Z", "bucket": "1h", "zone": "UTC",
    "groupBy": ["queue"],
    "data": [{
        "start": "2026-01-31T12:00:00.000Z", "end": "2026-01-31T13:00:00.000Z", "queueId": QUEUE_ID, "agentId": None,
        "language": None, "type": None, "offered": 42, "answered": 38, "answeredInTime": 34, "abandoned": 3,
        "shortAbandons": 1, "failed": 0, "slaBreached": 5,
        "serviceLevel": {"ofAnswered": 0.8947, "ofOffered": 0.8293, "withoutShortAbandons": 0.85,
                         "withAbandonsInTime": 0.8537},
        "abandonRate": 0.0732, "asa": 14.2, "meanWaitOfAll": 15.8, "longestWait": 71.4,
        "handleTime": {"aht": 312.5, "talk": 288.1, "hold": 24.4, "acw": None}, "handled": 36, "occupancy": None,
        "occupancyWithoutAway": None, "agentTime": None, "rona": 2, "missed": 2, "transfers": 1, "transferred": 1,
        "holds": 6, "held": 5, "holdExceeded": 1, "holdExcessSeconds": 12.5, "shortCalls": 1,
        "links": {"offered": _LINKED, "answered": f"{_LINKED}&answered=true"},
    }],
    "now": {"waiting": 1, "longestCurrentWait": 4.1, "active": 6, "onHold": 1,
            "agents": {"offline": 8, "available": 19, "offered": 1, "on_call": 7, "wrap_up": 1, "away": 0}},
    "formulas": [{"name": "asa", "formula": "Average speed of answer: the mean wait of answered calls",
                  "source": "Gans, Koole and Mandelbaum (2003)"}],
    "notes": ["occupancy and handleTime.acw are null: an agent's time is no queue's, no language's and no type's. Ask "
              "without them, or by agent, with a token that sees all queues."],
}  # fmt: skip
DEAD_LETTERS: Json = {
    "data": [{
        "id": "pbx-1-000060", "kind": "event", "callId": "call-5", "queueId": None, "type": "call_resumed",
        "reason": "no call_initiated came", "failedAt": "2026-01-31T12:10:00.000Z", "attempts": 1,
        "body": {"event": "call_resumed", "callId": "call-5", "eventId": "pbx-1-000060"},
    }],
    "nextCursor": None,
}  # fmt: skip
_PARTS: Json = {
    "postgres": {"status": "ok", "milliseconds": 1.2}, "redis": {"status": "ok", "milliseconds": 0.3},
    "sweep": {"status": "ok", "alive": 1}, "relay": {"status": "ok", "alive": 1, "connections": 12},
    "shards": {"status": "ok", "count": 1, "withoutRelay": []},
    "outbox": {"status": "ok", "owed": 0, "ageSeconds": 0}, "timers": {"status": "ok", "lateSeconds": 0},
    "agentTime": {"status": "ok", "behind": 0}, "deadLetters": {"status": "ok", "count": 0},
}  # fmt: skip
_DOWN = {
    **_PARTS,
    "relay": {"status": "down", "alive": 0, "connections": 0},
    "shards": {"status": "down", "count": 1, "withoutRelay": [0]},
}

# By operation: the body's examples by name, each with its summary.
REQUESTS: dict[str, dict[str, tuple[str, Any]]] = {
    "sendEvents": {
        **EVENTS,
        "all_fields": ("An event with every optional field", ALL_FIELDS),
        "batch": ("Several events at once", BATCH),
    },
    "setUpQueue": {"queue": ("A queue and its limits in seconds", QUEUE_SETUP)},
    "setUpAgent": {"agent": ("An agent, her languages, queues and skills", AGENT_SETUP)},
    "redriveDeadLetters": {
        "some": ("Some, by their ids", {"ids": ["pbx-1-000060"]}),
        "all": ("The oldest, as many as one request may have", {"all": True}),
    },
}
# By operation and status: the JSON answers by name, each with its summary.
RESPONSES: dict[str, dict[str, dict[str, tuple[str, Any]]]] = {
    "sendEvents": {
        "200": {
            "replayed": ("A copy of a recorded event", {**_ANSWERED, "outcome": "replayed", "call": CALL}),
            "batch": (
                "The results of a batch, in the order sent",
                {"results": [{"status": 201, **_ANSWERED, "call": _WAITING}, {"status": 400, "problem": _REFUSED}]},
            ),
        },
        "201": {
            "call": ("A call's event", {**_ANSWERED, "call": _WAITING}),
            "agent": (
                "An agent's report",
                {"eventId": _ANSWERED["eventId"], "agentId": AGENT_ID, "outcome": "applied"},
            ),
        },
        "202": {
            "deferred": ("Its predecessor has not arrived yet",
                      {"eventId": "pbx-1-000060", "callId": "call-5", "outcome": "deferred", "call": None}),
        },
    },
    "listCalls": {"200": CALLS},
    "getCall": {"200": {"call": ("A call with its agent", CALL)}},
    "listCallEvents": {"200": {"history": ("A call's five events", HISTORY)}},
    "listQueues": {"200": {"queues": ("One queue", {"data": [QUEUE]})}},
    "getQueue": {"200": {"queue": ("A queue and its limits", QUEUE)}},
    "setUpQueue": {"200": {"queue": ("The queue now", QUEUE)}},
    "listAgents": {"200": {"agents": ("One agent", {"data": [AGENT]})}},
    "getAgent": {"200": {"agent": ("An agent on a call", AGENT)}},
    "setUpAgent": {
        "200": {"agent": ("The agent now", {**AGENT, "status": "available", "callId": None, "version": 1})}
    },
    "getMetrics": {"200": {"metrics": ("One queue's hour", METRICS)}},
    "listDeadLetters": {"200": {"letters": ("An event that never became legal", DEAD_LETTERS)}},
    "redriveDeadLetters": {
        "200": {
            "tried": (
                "One is recorded now",
                {"results": [{"id": "pbx-1-000060", "kind": "event", "status": 201, **_ANSWERED, "call": CALL}],
                 "remaining": 0},
            )
        }
    },
    "getHealth": {"200": {"ok": ("The function answers", {"status": "ok"})}},
    "getDeepHealth": {
        "200": {"ok": ("All parts work", {"status": "ok", "parts": _PARTS})},
        "503": {"down": ("No relay works", {**problem(503, "Down: relay.").model_dump(), "parts": _DOWN})},
    },
}  # fmt: skip
# For each status: the problem document.
PROBLEMS: dict[str, Json] = {
    "400": problem(400, "Not valid: type", ("type", "Input should be 'voice' or 'video'")).model_dump(),
    "401": problem(401, "Send a valid token: `Authorization: Bearer …`.").model_dump(),
    "403": problem(403, "This token does not permit you to send events.").model_dump(),
    "404": problem(404, "There is no call call-9.").model_dump(),
    "409": problem(
        409,
        "call_hold is not possible: call call-1 is ended at that time.",
        ("event", "is not possible while the call is ended"),
    ).model_dump(),
    "413": problem(413, "The batch has 501 events, 500 at most.", ("body", "has too many events")).model_dump(),
    "415": problem(
        415, "text/plain is not supported. Send application/json.", ("Content-Type", "is not JSON")
    ).model_dump(),
    "422": problem(
        422,
        "The id pbx-1-000042 was used before, for something else.",
        ("eventId", "was used before with another body"),
    ).model_dump(),
    "429": problem(429, "Too many requests at once. Try again in a moment.").model_dump(),
    "500": problem(500, "Unexpected error. The log of this function contains the cause.").model_dump(),
    "503": problem(
        503, "Try again in a few seconds. Events with an eventId are recorded once, even if they are sent again."
    ).model_dump(),
    "504": problem(504, "Switchboard did not answer in time. Send it again: an eventId is recorded once.").model_dump(),
}
