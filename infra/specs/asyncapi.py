"""The live feed as an AsyncAPI 3 document: the contracts' schemas, and what no schema says."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel

from infra.specs import schemas, vectors
from shared.contracts import feed, views
from shared.contracts.problems import problem
from shared.usecases.feed.connect import MAX_CONNECTION_AGE
from shared.usecases.feed.frames import FRAME_BYTES
from shared.usecases.feed.handle_message import MAX_BYTES

Json = dict[str, Any]
IDLE_SECONDS = 10 * 60  # API Gateway's own
PROTOCOL_VERSION = "1.0.0"

DESCRIPTION = f"""\
`docs/feed.md` states everything that a client needs, and `docs/feed-vectors/` has test vectors. In short:

1. Connect with the token, and subscribe to topics.
2. When `subscribed` arrives with `replayed: false`, read the snapshot: all pages of
   `GET /api/calls?status=waiting,active,on_hold&limit=500`, then `GET /api/agents`.
3. Apply views by `version`: the higher one holds. Order and copies do no harm.
4. After a cut, subscribe with `since`: a position that is at least 5 s older than the last frame, because one frame can
   overtake another, or the position of the first page of the last snapshot.
5. After `reset`, read the snapshot again, and then remove what it lacks.

| topic | calls and agents that belong to it |
|---|---|
| `queue:{{queueId}}` | the calls of a queue, and its agents |
| `call:{{callId}}` | one call |
| `agent:{{agentId}}` | an agent, and the calls that ring at the agent or that the agent handles |
| `alerts:{{queueId}}` | the calls of a queue that have a flag |
| `ops` | none; for administrators |

An id consists of 1 to 128 letters, digits and `. _ : @ + = -`. A token permits topics of its own queues. The relay
checks that again for each frame: a call that moved to a queue which the token does not permit is sent only as an
entry of `left`, with its id and version.

- A frame to a client is smaller than {FRAME_BYTES} bytes. A larger change comes in several `update` frames.
- A message to the server has at most {MAX_BYTES} bytes and names at most 500 topics.
- A connection ends after {int(MAX_CONNECTION_AGE.total_seconds())} s, when its token expires, or after {IDLE_SECONDS} s
  without messages. Send `ping`. Connect again before the limit.
- A message that is not valid or not permitted is answered by `error`, and the connection stays open.
- A connection that lives can still bring no changes: check it with `GET /api/calls?since=`.
- Where no socket can be had, poll `GET /api/calls?since=`.
"""


class ClientMessage(NamedTuple):
    """A message that a client may send, and the types of the frames that answer it."""

    name: str
    payload: Json
    answers: tuple[str, ...]


class Refused(NamedTuple):
    """A message that is answered by an error, as text, and the error."""

    name: str
    message: str
    answer: feed.ErrorFrame


# Their update frames stand in the document as examples.
EXAMPLE_VECTORS = ("call-leaves", "alerts-and-void-events", "agents", "events-omitted")
TOPIC = "queue:medical_spanish"
CLIENT_MESSAGES = {
    "subscribe": (
        ClientMessage("first", {"action": "subscribe", "topics": [TOPIC, "alerts:legal_spanish"]}, ("subscribed",)),
        ClientMessage("resume", {"action": "subscribe", "topics": [TOPIC], "since": 742}, ("update", "subscribed")),
        ClientMessage("lost", {"action": "subscribe", "topics": [TOPIC], "since": 10**12}, ("reset", "subscribed")),
    ),
    "unsubscribe": (ClientMessage("leave", {"action": "unsubscribe", "topics": [TOPIC]}, ()),),
    "ping": (ClientMessage("ping", {"action": "ping"}, ("pong",)),),
}
_ACTION = problem(400, "Unknown action. Use subscribe, unsubscribe or ping.", ("action", "is unknown"))
_FOREIGN = "queue:legal_english"
REFUSED = (
    Refused("unknown action", '{"action": "dance"}', feed.ErrorFrame(problem=_ACTION)),
    Refused("bad JSON", "{", feed.ErrorFrame(problem=problem(400, "The message is not valid JSON."))),
    Refused(
        "foreign topic",
        json.dumps({"action": "subscribe", "topics": [_FOREIGN]}),
        feed.ErrorFrame(
            problem=problem(
                403,
                f"Not permitted by this token: {_FOREIGN}",
                ("topics[0]", f"{_FOREIGN} is not permitted by this token"),
            )
        ),
    ),
    Refused(
        "too long",
        "x" * 129 * 1024,
        feed.ErrorFrame(problem=problem(413, f"The message has {129 * 1024} bytes. The limit is {MAX_BYTES}.")),
    ),
)

_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
_CALL = views.CallView(
    id="call-1", type="voice", status="waiting", queue_id="medical_spanish", language="es", start_time=_AT,
    waiting_since=_AT, end_time=None, agent_id=None, wait_seconds=None, hold_seconds=0, duration_seconds=None,
    end_reason=None, flags=["sla_breached"], offer=None, deadline=None, priority=None, version=2, metadata={},
)  # fmt: skip
_EVENT = views.EventView(
    id="event-2", call_id="call-1", type="sla_breached", timestamp=_AT, occurred_at=_AT, received_at=_AT,
    source="system", record_id=2, version=2, void=False, metadata={},
)  # fmt: skip
_ALERT = views.AlertView(
    id="event-2", call_id="call-1", queue_id="medical_spanish", flag="sla_breached", raised_at=_AT, withdrawn=False
)
_FROM_VECTORS = {
    f"{vector.name}, at {step['at']} s": feed.Update.model_validate_json(json.dumps(step["frame"]))
    for vector in vectors.VECTORS
    for step in vector.steps
    if vector.name in EXAMPLE_VECTORS and step["do"] == "frame" and step["frame"]["type"] == "update"
}
FRAMES: dict[str, tuple[BaseModel, ...]] = {
    "subscribed": (feed.Subscribed(topics=[TOPIC], position=742, replayed=False),),
    "update": (feed.Update(position=743, calls=[_CALL], events=[_EVENT], alerts=[_ALERT]), *_FROM_VECTORS.values()),
    "reset": (feed.Reset(topics=[TOPIC], position=742),),
    "pong": (feed.Pong(),),
    "error": tuple(refused.answer for refused in REFUSED),
}
_MODELS = {
    "subscribe": "Subscribe", "unsubscribe": "Unsubscribe", "ping": "Ping",
    "subscribed": "Subscribed", "update": "Update", "reset": "Reset", "pong": "Pong", "error": "ErrorFrame",
}  # fmt: skip
_TITLES = {
    "subscribe": "Follow topics, from a position or from now on",
    "unsubscribe": "Stop following topics; there is no answer",
    "ping": "Check the connection, and keep it from being idle",
    "subscribed": "The topics are followed; `replayed` says whether everything since `since` was sent",
    "update": "Views of the calls and agents that changed, and what happened to them",
    "reset": "Something could not be sent, or an agent left a queue: read the snapshot again",
    "pong": "The answer to ping",
    "error": "The message is not valid or not permitted; nothing was done",
}


def document() -> str:
    _, models = schemas.of(("FeedRequest", "FeedFrame"), ref_template="#/components/schemas/{model}")
    found = {
        "asyncapi": "3.0.0",
        "x-generated": "Generated by `python -m infra.specs.generate` from shared/contracts. Do not edit.",
        "info": {"title": "Switchboard's live feed", "version": PROTOCOL_VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"live": _server()},
        "channels": {"feed": _channel()},
        "operations": {name: _taken(name) for name in CLIENT_MESSAGES} | {"tell": _tell()},
        "components": {"schemas": models, "messages": {name: _message(name) for name in _MODELS}, **_SECURITY},
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


_SECURITY: Json = {
    "securitySchemes": {
        "token": {
            "type": "httpApiKey",
            "in": "query",
            "name": "token",
            "description": "The REST bearer token, URL-encoded. Without a valid one the handshake is refused.",
        }
    }
}


def _server() -> Json:
    return {
        "host": "{api}.execute-api.{region}.amazonaws.com",
        "pathname": "/{stage}",
        "protocol": "wss",
        "description": "`switchboard status` prints it. On AWS it is in `config.json` next to the dashboard.",
        "variables": {"api": {}, "region": {}, "stage": {"default": "live"}},
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _channel() -> Json:
    token = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}}
    return {
        "address": "/",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _MODELS},
        "bindings": {"ws": {"method": "GET", "query": token, "bindingVersion": "0.1.0"}},
    }


def _message(name: str) -> Json:
    if name in CLIENT_MESSAGES:
        answered = [
            ("answered by: " + (", ".join(message.answers) or "nothing"), message) for message in CLIENT_MESSAGES[name]
        ]
        examples = [
            {"name": message.name, "summary": summary, "payload": message.payload} for summary, message in answered
        ]
    else:
        more = _FROM_VECTORS if name == "update" else ()
        names = [refused.name for refused in REFUSED] if name == "error" else [name, *more]
        payloads = [frame.model_dump(mode="json") for frame in FRAMES[name]]
        examples = [{"name": each, "payload": payload} for each, payload in zip(names, payloads, strict=True)]
    payload = {"$ref": f"#/components/schemas/{_MODELS[name]}"}
    return {"name": name, "title": _TITLES[name], "payload": payload, "examples": examples}


def _taken(name: str) -> Json:
    """Answers come on the same connection; an error may come instead of any."""
    answers = dict.fromkeys(answer for message in CLIENT_MESSAGES[name] for answer in message.answers) | {"error": None}
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/feed"},
        "title": _TITLES[name],
        "messages": [{"$ref": f"#/channels/feed/messages/{name}"}],
        "reply": {
            "channel": {"$ref": "#/channels/feed"},
            "messages": [{"$ref": f"#/channels/feed/messages/{answer}"} for answer in answers],
        },
    }


def _tell() -> Json:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/feed"},
        "title": "Send changes to the followers of a topic",
        "messages": [{"$ref": f"#/channels/feed/messages/{name}"} for name in ("update", "reset")],
    }
