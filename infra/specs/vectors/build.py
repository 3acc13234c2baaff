"""Views, frames and steps from which the vectors are made. Frames and answers are those of the contracts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts import feed, queries, views

Json = dict[str, Any]
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUEUE, OTHER = "spanish", "english"
TOPICS = (f"queue:{QUEUE}",)


@dataclass(frozen=True, slots=True)
class Vector:
    """See docs/feed.md. `name` is also the file's name."""

    name: str
    rule: str
    steps: Sequence[Json]
    topics: Sequence[str] = TOPICS
    concurrent: bool = False


def call(
    call_id: str, version: int, status: queries.StatusName = "waiting", queue: str = QUEUE, **fields: object
) -> Json:
    ended_at = AT + timedelta(minutes=5) if status == "ended" else None
    view = views.CallView(
        id=call_id, type="voice", status=status, queue_id=queue, language="es", start_time=AT, end_time=ended_at,
        agent_id=None, waiting_since=AT, wait_seconds=None, hold_seconds=0, duration_seconds=None,
        end_reason="completed" if status == "ended" else None, flags=[], offer=None, deadline=None, priority=None,
        version=version, metadata={},
    )  # fmt: skip
    return view.model_copy(update=fields).model_dump(mode="json")


def agent(agent_id: str, version: int, **fields: object) -> Json:
    view = views.AgentView(
        id=agent_id, name=agent_id.title(), languages=["es"], queues=[QUEUE], status="available", status_since=AT,
        call_id=None, reason=None, skills={}, misses=0, version=version,
    )  # fmt: skip
    return view.model_copy(update=fields).model_dump(mode="json")


def event(event_id: str, call_id: str, version: int, kind: str, *, void: bool = False) -> Json:
    view = views.EventView(
        id=event_id, call_id=call_id, type=kind, timestamp=AT, occurred_at=AT, received_at=AT, source="telephony",
        record_id=version, version=version, void=void, metadata={},
    )  # fmt: skip
    return view.model_dump(mode="json")


def alert(event_id: str, call_id: str, *, withdrawn: bool = False) -> Json:
    view = views.AlertView(
        id=event_id, call_id=call_id, queue_id=QUEUE, flag="sla_breached", raised_at=AT, withdrawn=withdrawn
    )
    return view.model_dump(mode="json")


def left(call_id: str, version: int) -> Json:
    return views.Departure(id=call_id, version=version).model_dump(mode="json")


def update(position: int, *calls: Json, **lists: object) -> Json:
    frame = feed.Update.model_validate_json(json.dumps({"position": position, "calls": calls, **lists}))
    return frame.model_dump(mode="json")


def subscribed(position: int, *, replayed: bool = False, topics: Sequence[str] = TOPICS) -> Json:
    return feed.Subscribed(topics=list(topics), position=position, replayed=replayed).model_dump(mode="json")


def reset(position: int) -> Json:
    return feed.Reset(topics=list(TOPICS), position=position).model_dump(mode="json")


def page(position: int, *calls: Json, more: bool = False) -> Json:
    return {"data": list(calls), "nextCursor": "the-next-page" if more else None, "position": position}


def connect(at: float, since: int | None, *, topics: Sequence[str] = TOPICS) -> Json:
    sends: Json = {"action": "subscribe", "topics": list(topics)} | ({} if since is None else {"since": since})
    return {"at": at, "do": "connect", "expect": {"sends": sends}}


def frame(at: float, frame: Json, **expect: object) -> Json:
    return {"at": at, "do": "frame", "frame": frame, **expecting(expect)}


def read(at: float, **expect: object) -> Json:
    return {"at": at, "do": "read", **expecting(expect)}


def answer(at: float, *pages: Json, agents: Iterable[Json] = (), **expect: object) -> Json:
    return {"at": at, "do": "answer", "pages": list(pages), "agents": list(agents), **expecting(expect)}


def poll(at: float, position: int, *calls: Json, expect: Json | None = None, **lists: object) -> Json:
    found: Json = {"position": position, "reset": False, "calls": calls, "left": [], "agents": [], **lists}
    changes = views.Changes.model_validate_json(json.dumps(found)).model_dump(mode="json")
    return {"at": at, "do": "poll", "changes": changes, **expecting(expect or {})}


def cut(at: float, **expect: object) -> Json:
    return {"at": at, "do": "cut", **expecting(expect)}


def expecting(expect: Json) -> Json:
    """`agents_` stands for `agents`, which is also the name of an answer's list."""
    named = {name.rstrip("_"): value for name, value in expect.items()}
    return {"expect": named} if named else {}


def begin(*calls: Json, agents: Sequence[Json] = (), position: int = 100) -> list[Json]:
    """A client that is live: subscribed, and with a whole snapshot from this position."""
    return [
        connect(0, None),
        frame(0.1, subscribed(position), snapshot=True, since=position),
        read(0.2),
        answer(0.3, page(position, *calls), agents=agents, snapshot=False),
    ]
