"""What readers may ask, narrowed to what their token lets them see."""

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shared.contracts.dead_letters import DeadLetterPage, DeadLetterView
from shared.contracts.problems import refuse
from shared.contracts.views import AgentView, CallPage, CallView, EventPage, EventView, QueueView
from shared.usecases.permissions import Bearer

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
STATUSES = ("waiting", "active", "on_hold", "ended")
FLAGS = ("sla_breached", "hold_exceeded", "short_call", "rerouted")


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Empty means any. `queues` None means all; a set is what the token permits or the reader asked for."""

    statuses: Sequence[str] = ()
    queues: Collection[str] | None = None
    agent_id: str | None = None
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class After:
    """The last call of the page before: calls are listed newest first, by start and id."""

    start_time: datetime
    call_id: str


@dataclass(frozen=True, slots=True)
class AfterLetter:
    """The last dead letter of the page before: newest first, by failure, kind and id."""

    failed_at: datetime
    kind: str
    id: str


class Reads(Protocol):
    """Raises `UnavailableError` while the system of record cannot be reached."""

    def calls(self, wanted: CallFilter, after: After | None, limit: int) -> tuple[int, list[CallView]]:
        """The position first, then calls: nothing that changes between the two can be missed."""
        ...

    def call(self, call_id: str) -> CallView | None: ...

    def events(self, call_id: str, after: tuple[datetime, int] | None, limit: int) -> list[EventView]: ...

    def queues(self) -> list[QueueView]: ...

    def queue(self, queue_id: str) -> QueueView | None: ...

    def agents(self) -> list[AgentView]: ...

    def agent(self, agent_id: str) -> AgentView | None: ...


class DeadLetterReads(Protocol):
    """`queues` None means all, and letters of calls whose queue nobody knows yet. Raises `UnavailableError`."""

    def page(self, queues: Sequence[str] | None, after: AfterLetter | None, limit: int) -> list[DeadLetterView]: ...


def list_calls(reads: Reads, bearer: Bearer, query: dict[str, str]) -> CallPage:
    """Raises `ProblemError` (400) that names a parameter which is not valid."""
    limit = _limit(query)
    after = _call_cursor(query["cursor"]) if "cursor" in query else None
    position, calls = reads.calls(_filter(bearer, query), after, limit + 1)
    more = calls[limit - 1] if len(calls) > limit else None
    cursor = _encode(more.start_time.isoformat(), more.id) if more else None
    return CallPage.model_construct(data=calls[:limit], next_cursor=cursor, position=position)


def get_call(reads: Reads, bearer: Bearer, call_id: str) -> CallView:
    """A call that the token does not permit is answered like one that does not exist."""
    call = reads.call(call_id)
    if call is None or not bearer.sees(call.queue_id):
        raise refuse(404, f"There is no call {call_id}.")
    return call


def list_events(reads: Reads, bearer: Bearer, call_id: str, query: dict[str, str]) -> EventPage:
    get_call(reads, bearer, call_id)
    limit = _limit(query, default=MAX_LIMIT)
    after = _event_cursor(query["cursor"]) if "cursor" in query else None
    events = reads.events(call_id, after, limit + 1)
    more = events[limit - 1] if len(events) > limit else None
    cursor = _encode(_place(more).isoformat(), more.position) if more else None
    return EventPage.model_construct(data=events[:limit], next_cursor=cursor)


def _place(event: EventView) -> datetime:
    """A call's beginning is listed first, as the fold has it, even where another sender's clock was behind."""
    return BEFORE_ALL if event.type == "call_initiated" else event.timestamp


def list_queues(reads: Reads, bearer: Bearer) -> list[QueueView]:
    return [queue for queue in reads.queues() if bearer.sees(queue.id)]


def get_queue(reads: Reads, bearer: Bearer, queue_id: str) -> QueueView:
    """A queue that the token does not permit is answered like one that does not exist."""
    queue = reads.queue(queue_id)
    if queue is None or not bearer.sees(queue.id):
        raise refuse(404, f"There is no queue {queue_id}.")
    return queue


def list_agents(reads: Reads, bearer: Bearer) -> list[AgentView]:
    """Agents who share a queue with the reader."""
    return [agent for agent in reads.agents() if _sees_agent(bearer, agent)]


def get_agent(reads: Reads, bearer: Bearer, agent_id: str) -> AgentView:
    """An agent who shares no queue with the reader is answered like one who does not exist."""
    agent = reads.agent(agent_id)
    if agent is None or not _sees_agent(bearer, agent):
        raise refuse(404, f"There is no agent {agent_id}.")
    return agent


def _sees_agent(bearer: Bearer, agent: AgentView) -> bool:
    return bearer.sees_all or any(map(bearer.sees, agent.queues))


def list_dead_letters(letters: DeadLetterReads, bearer: Bearer, query: dict[str, str]) -> DeadLetterPage:
    limit = _limit(query)
    after = _letter_cursor(query["cursor"]) if "cursor" in query else None
    found = letters.page(None if bearer.sees_all else sorted(bearer.queues), after, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    cursor = _encode(last.failed_at.isoformat(), f"{last.kind} {last.id}") if last else None
    return DeadLetterPage.model_construct(data=found[:limit], next_cursor=cursor)


def _filter(bearer: Bearer, query: dict[str, str]) -> CallFilter:
    asked = _words(query, "queueId")
    permitted = None if bearer.sees_all else set(bearer.queues)
    if asked:
        permitted = {queue_id for queue_id in asked if bearer.sees(queue_id)}
    return CallFilter(
        statuses=_words(query, "status", STATUSES),
        queues=permitted,
        agent_id=query.get("agentId"),
        flag=next(iter(_words(query, "flag", FLAGS)), None),
    )


def _words(query: dict[str, str], name: str, known: Collection[str] = ()) -> list[str]:
    words = [word for word in query.get(name, "").split(",") if word]
    unknown = [word for word in words if known and word not in known]
    if unknown:
        message = f"is not one of {', '.join(known)}"
        raise refuse(400, f"Not valid: {name}", (name, message))
    return words


def _limit(query: dict[str, str], default: int = DEFAULT_LIMIT) -> int:
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise refuse(400, "Not valid: limit", ("limit", f"is not a whole number from 1 to {MAX_LIMIT}"))
    return int(text)


def _encode(*parts: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str | int]:
    try:
        moment, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not str(key).isprintable():
            raise ValueError("Postgres takes no NUL")
        return datetime.fromisoformat(moment), key
    except (ValueError, TypeError, binascii.Error):
        raise refuse(400, "Not valid: cursor", ("cursor", "is not one that was given out here")) from None


def _call_cursor(cursor: str) -> After:
    moment, key = _decode(cursor)
    return After(moment, str(key))


def _event_cursor(cursor: str) -> tuple[datetime, int]:
    moment, key = _decode(cursor)
    if not isinstance(key, int):
        raise refuse(400, "Not valid: cursor", ("cursor", "is not one that was given out here"))
    return moment, key


def _letter_cursor(cursor: str) -> AfterLetter:
    moment, key = _decode(cursor)
    kind, _, letter_id = str(key).partition(" ")
    return AfterLetter(moment, kind, letter_id)
