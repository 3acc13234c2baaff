"""What readers may ask, narrowed to what their token lets them see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import orjson

from shared.contracts.dead_letters import DeadLetterPage, DeadLetterView
from shared.contracts.plain_json import Json
from shared.contracts.problems import refuse
from shared.contracts.queries import CallsQuery, EventsQuery, Paged, parse_query
from shared.contracts.views import AgentView, CallView, EventPage, EventView, QueueView
from shared.contracts.views_json import call_json
from shared.domain.call import Call
from shared.usecases.access import Principal
from shared.usecases.reading.cursors import Cursors

T = TypeVar("T")
LARGEST_PAGE_BYTES = 4_000_000  # a function may answer 6 MB, and what calls carry with them is their senders' affair


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: its last call's key in the order asked for, as the system of record wrote it."""

    key: str
    call_id: str


@dataclass(frozen=True, slots=True)
class ListedCall:
    call: Call
    key: str


@dataclass(frozen=True, slots=True)
class AfterDeadLetter:
    """The last dead letter of the page before: newest first, by failure, kind and id."""

    failed_at: datetime
    kind: str
    id: str


class Reads(Protocol):
    """Raises `UnavailableError` while the system of record cannot be reached."""

    def calls(
        self, query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int
    ) -> tuple[int, list[ListedCall]]:
        """The position first, then calls: nothing that changes between the two can be missed. `queues` None is all."""
        ...

    def call(self, call_id: str) -> CallView | None: ...

    def events(self, call_id: str, after: int | None, limit: int) -> list[EventView]:
        """In the order in which they made the call, from behind the one with the position `after`."""
        ...

    def queues(self) -> list[QueueView]: ...

    def queue(self, queue_id: str) -> QueueView | None: ...

    def agents(self, queues: Sequence[str] | None = None) -> list[AgentView]:
        """Who works for any of these queues, None meaning all, and on which call where that is in one."""
        ...

    def agent(self, agent_id: str, queues: Sequence[str] | None = None) -> AgentView | None: ...


class DeadLetterReads(Protocol):
    """`queues` None means all, and letters of calls whose queue nobody knows yet. Raises `UnavailableError`."""

    def page(self, queues: Sequence[str] | None, after: AfterDeadLetter | None, limit: int) -> list[DeadLetterView]: ...


@dataclass(slots=True)
class Page:
    """Calls as JSON, each made once, as many as one answer can carry."""

    query: CallsQuery
    position: int
    rows: list[Json] = field(default_factory=list[Json])
    encoded: list[bytes] = field(default_factory=list[bytes])
    next_cursor: str | None = None


def list_calls(reads: Reads, cursors: Cursors, principal: Principal, parameters: dict[str, Any]) -> Page:
    """Raises `ProblemError` (400) that names a parameter which is not valid."""
    query = parse_query(CallsQuery, parameters)
    queues = principal.visible_queues(query.queue_id)
    listed = ["calls", query.model_dump(mode="json", exclude={"limit", "cursor", "fields", "format"})]
    after = After(*cursors.open(listed, query.cursor)) if query.cursor else None
    position, found = reads.calls(query, queues, after, query.limit + 1)
    page, size = Page(query, position), 0
    for one in found[: query.limit]:
        row = call_json(one.call)
        row = {name: row[name] for name in query.fields} if query.fields else row
        encoded = orjson.dumps(row)
        size += len(encoded)
        if page.rows and size > LARGEST_PAGE_BYTES:
            break
        page.rows.append(row)
        page.encoded.append(encoded)
    if len(page.rows) < len(found):
        last = found[len(page.rows) - 1]
        page.next_cursor = cursors.seal(listed, last.key, last.call.id)
    return page


def get_call(reads: Reads, principal: Principal, call_id: str) -> CallView:
    """A call that the token does not permit is answered like one that does not exist."""
    call = reads.call(call_id)
    if call is None or not principal.can_see(call.queue_id):
        raise refuse(404, f"There is no call {call_id}.")
    return call


def list_events(
    reads: Reads, cursors: Cursors, principal: Principal, call_id: str, parameters: dict[str, Any]
) -> EventPage:
    query = parse_query(EventsQuery, parameters)
    get_call(reads, principal, call_id)
    listed = ["events", call_id]
    after = _opened(query, lambda cursor: cursors.open(listed, cursor)[-1])
    events = reads.events(call_id, after, query.limit + 1)
    more = events[query.limit - 1] if len(events) > query.limit else None
    cursor = cursors.seal(listed, more.record_id) if more else None
    return EventPage.model_construct(data=events[: query.limit], next_cursor=cursor)


def list_queues(reads: Reads, principal: Principal) -> list[QueueView]:
    return [queue for queue in reads.queues() if principal.can_see(queue.id)]


def get_queue(reads: Reads, principal: Principal, queue_id: str) -> QueueView:
    """A queue that the token does not permit is answered like one that does not exist."""
    queue = reads.queue(queue_id)
    if queue is None or not principal.can_see(queue.id):
        raise refuse(404, f"There is no queue {queue_id}.")
    return queue


def list_agents(reads: Reads, principal: Principal) -> list[AgentView]:
    """Agents who share a queue with the reader."""
    return reads.agents(principal.visible_queues(()))


def get_agent(reads: Reads, principal: Principal, agent_id: str) -> AgentView:
    """An agent who shares no queue with the reader is answered like one who does not exist."""
    agent = reads.agent(agent_id, principal.visible_queues(()))
    if agent is None:
        raise refuse(404, f"There is no agent {agent_id}.")
    return agent


def list_dead_letters(
    letters: DeadLetterReads, cursors: Cursors, principal: Principal, parameters: dict[str, Any]
) -> DeadLetterPage:
    query = parse_query(Paged, parameters)
    after = _opened(query, lambda cursor: _letter_place(*cursors.open("letters", cursor)))
    found = letters.page(None if principal.sees_all else sorted(principal.queues), after, query.limit + 1)
    last = found[query.limit - 1] if len(found) > query.limit else None
    cursor = cursors.seal("letters", last.failed_at.isoformat(), last.kind, last.id) if last else None
    return DeadLetterPage.model_construct(data=found[: query.limit], next_cursor=cursor)


def _opened(query: Paged, opened: Callable[[str], T]) -> T | None:
    return opened(query.cursor) if query.cursor else None


def _letter_place(failed_at: str, kind: str, letter_id: str) -> AfterDeadLetter:
    return AfterDeadLetter(datetime.fromisoformat(failed_at), kind, letter_id)
