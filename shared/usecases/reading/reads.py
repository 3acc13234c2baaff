"""Lists and single calls, queues, agents and dead letters, limited to the queues of the token."""

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
MAX_PAGE_BYTES = 4_000_000  # a function's response may have 6 MB, and senders decide how large calls are


@dataclass(frozen=True, slots=True)
class After:
    """The end of the previous page: the sort key of its last call, as Postgres formats it, and the id."""

    key: str
    call_id: str


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call and its sort key."""

    call: Call
    key: str


@dataclass(frozen=True, slots=True)
class AfterDeadLetter:
    """The last dead letter of the previous page. They are sorted by time of failure, newest first, then kind and id."""

    failed_at: datetime
    kind: str
    id: str


class Reads(Protocol):
    """Raises `UnavailableError`. `queues` None means all."""

    def calls(
        self, query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int
    ) -> tuple[int, list[ListedCall]]:
        """The position and the calls. The position is read first, so that a later change cannot be missed."""
        ...

    def call(self, call_id: str) -> CallView | None: ...

    def events(self, call_id: str, after: int | None, limit: int) -> list[EventView]:
        """In the order in which they apply, after the one with the record id `after`."""
        ...

    def queues(self) -> list[QueueView]: ...

    def queue(self, queue_id: str) -> QueueView | None: ...

    def agents(self, queues: Sequence[str] | None = None) -> list[AgentView]:
        """Agents of any of these queues, with their call if it is in one of the queues."""
        ...

    def agent(self, agent_id: str, queues: Sequence[str] | None = None) -> AgentView | None: ...


class DeadLetterReads(Protocol):
    """`queues` None means all, including dead letters of calls with an unknown queue. Raises `UnavailableError`."""

    def page(self, queues: Sequence[str] | None, after: AfterDeadLetter | None, limit: int) -> list[DeadLetterView]: ...


@dataclass(slots=True)
class Page:
    """A page of calls.

    query: the request.
    position: the position before the page was read.
    rows, encoded: the calls, and each serialised as JSON.
    next_cursor: None on the last page.
    """

    query: CallsQuery
    position: int
    rows: list[Json] = field(default_factory=list[Json])
    encoded: list[bytes] = field(default_factory=list[bytes])
    next_cursor: str | None = None


def list_calls(reads: Reads, cursors: Cursors, principal: Principal, parameters: dict[str, Any]) -> Page:
    """Raises `ProblemError` (400) that names the invalid parameter."""
    query = parse_query(CallsQuery, parameters)
    queues = principal.visible_queues(query.queue_id)
    list_key = ["calls", query.model_dump(mode="json", exclude={"limit", "cursor", "fields", "format"})]
    after = After(*cursors.decode(list_key, query.cursor)) if query.cursor else None
    position, listed = reads.calls(query, queues, after, query.limit + 1)
    page, size = Page(query, position), 0
    for each in listed[: query.limit]:
        row = call_json(each.call)
        row = {name: row[name] for name in query.fields} if query.fields else row
        encoded = orjson.dumps(row)
        size += len(encoded)
        if page.rows and size > MAX_PAGE_BYTES:
            break
        page.rows.append(row)
        page.encoded.append(encoded)
    if len(page.rows) < len(listed):
        last = listed[len(page.rows) - 1]
        page.next_cursor = cursors.encode(list_key, last.key, last.call.id)
    return page


def get_call(reads: Reads, principal: Principal, call_id: str) -> CallView:
    """Raises `ProblemError` (404) for an unknown call, and for one that the token does not permit."""
    call = reads.call(call_id)
    if call is None or not principal.can_see(call.queue_id):
        raise refuse(404, f"There is no call {call_id}.")
    return call


def list_events(
    reads: Reads, cursors: Cursors, principal: Principal, call_id: str, parameters: dict[str, Any]
) -> EventPage:
    query = parse_query(EventsQuery, parameters)
    get_call(reads, principal, call_id)
    list_key = ["events", call_id]
    after = _decoded(query, lambda cursor: cursors.decode(list_key, cursor)[-1])
    events = reads.events(call_id, after, query.limit + 1)
    last = events[query.limit - 1] if len(events) > query.limit else None
    cursor = cursors.encode(list_key, last.record_id) if last else None
    return EventPage.model_construct(data=events[: query.limit], next_cursor=cursor)


def list_queues(reads: Reads, principal: Principal) -> list[QueueView]:
    return [queue for queue in reads.queues() if principal.can_see(queue.id)]


def get_queue(reads: Reads, principal: Principal, queue_id: str) -> QueueView:
    """Raises `ProblemError` (404) for an unknown queue, and for one that the token does not permit."""
    queue = reads.queue(queue_id)
    if queue is None or not principal.can_see(queue.id):
        raise refuse(404, f"There is no queue {queue_id}.")
    return queue


def list_agents(reads: Reads, principal: Principal) -> list[AgentView]:
    """Agents with a queue that the token permits."""
    return reads.agents(principal.visible_queues(()))


def get_agent(reads: Reads, principal: Principal, agent_id: str) -> AgentView:
    """Raises `ProblemError` (404) for an unknown agent, and for one without a queue that the token permits."""
    agent = reads.agent(agent_id, principal.visible_queues(()))
    if agent is None:
        raise refuse(404, f"There is no agent {agent_id}.")
    return agent


def list_dead_letters(
    dead_letters: DeadLetterReads, cursors: Cursors, principal: Principal, parameters: dict[str, Any]
) -> DeadLetterPage:
    query = parse_query(Paged, parameters)
    after = _decoded(query, lambda cursor: _after_dead_letter(*cursors.decode("letters", cursor)))
    page = dead_letters.page(None if principal.sees_all else sorted(principal.queues), after, query.limit + 1)
    last = page[query.limit - 1] if len(page) > query.limit else None
    cursor = cursors.encode("letters", last.failed_at.isoformat(), last.kind, last.id) if last else None
    return DeadLetterPage.model_construct(data=page[: query.limit], next_cursor=cursor)


def _decoded(query: Paged, decode: Callable[[str], T]) -> T | None:
    return decode(query.cursor) if query.cursor else None


def _after_dead_letter(failed_at: str, kind: str, letter_id: str) -> AfterDeadLetter:
    return AfterDeadLetter(datetime.fromisoformat(failed_at), kind, letter_id)
