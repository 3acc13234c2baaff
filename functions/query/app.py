"""Reads calls, their history, queues, agents and figures, with a connection that cannot write."""

from pathlib import Path

from chalice.app import Response

from shared import wiring
from shared.adapters import clock
from shared.adapters.http import caching, rest
from shared.contracts.setup import parse_id
from shared.usecases.access import Principal
from shared.usecases.reading import figures, poll_changes, reads

DOCS = Path(__file__).with_name("docs.html")
app = rest.rest_app("query")
log = wiring.logger("query")


@rest.route(app, "/api/calls")
def list_calls() -> Response:
    principal, query = _reader(), rest.query(app)
    if "since" in query:
        return _list_changes(principal, query)
    return caching.listed(app, reads.list_calls(wiring.reads(), wiring.cursors(), principal, query))


def _list_changes(principal: Principal, query: dict[str, str]) -> Response:
    """Return the changes since a position, or 304, for clients that poll."""
    changes = poll_changes.list_changes(wiring.changes(), principal, query)
    return rest.tagged(app, changes, poll_changes.tag_of(changes))


@rest.route(app, "/api/calls/{call_id}")
def get_call(call_id: str) -> Response:
    return caching.cached(app, rest.answer(reads.get_call(wiring.reads(), _reader(), parse_id("callId", call_id))))


@rest.route(app, "/api/calls/{call_id}/events")
def list_events(call_id: str) -> Response:
    principal, call_id = _reader(), parse_id("callId", call_id)
    page = reads.list_events(wiring.reads(), wiring.cursors(), principal, call_id, rest.query(app))
    return caching.cached(app, rest.answer(page), next_cursor=page.next_cursor)


@rest.route(app, "/api/queues")
def list_queues() -> Response:
    queues = reads.list_queues(wiring.reads(), _reader())
    return caching.cached(app, rest.answer({"data": [queue.model_dump(mode="json") for queue in queues]}))


@rest.route(app, "/api/queues/{queue_id}")
def get_queue(queue_id: str) -> Response:
    return rest.answer(reads.get_queue(wiring.reads(), _reader(), parse_id("queueId", queue_id)))


@rest.route(app, "/api/agents")
def list_agents() -> Response:
    agents = reads.list_agents(wiring.reads(), _reader())
    return caching.cached(app, rest.answer({"data": [agent.model_dump(mode="json") for agent in agents]}))


@rest.route(app, "/api/agents/{agent_id}")
def get_agent(agent_id: str) -> Response:
    return rest.answer(reads.get_agent(wiring.reads(), _reader(), parse_id("agentId", agent_id)))


@rest.route(app, "/api/metrics")
def get_metrics() -> Response:
    return rest.answer(figures.show_metrics(wiring.figures(), _reader(), rest.query(app), clock.now()))


@rest.route(app, "/api/dead-letters")
def list_dead_letters() -> Response:
    letters = wiring.dead_letters(wiring.reading_database())
    page = reads.list_dead_letters(letters, wiring.cursors(), _reader(), rest.query(app))
    return caching.cached(app, rest.answer(page), next_cursor=page.next_cursor)


@rest.route(app, "/api/openapi.json")
def get_openapi() -> Response:
    """The OpenAPI document. It needs no token, because it contains no recorded data."""
    from shared.contracts import openapi  # imported at first use

    return caching.cached(app, Response(openapi.document().decode(), headers={"Content-Type": "application/json"}))


@rest.route(app, "/api/docs")
def get_docs() -> Response:
    return caching.cached(app, caching.page(DOCS.read_text()))


@rest.route(app, "/api/health")
def health() -> Response:
    """Return `ok` without a token and without a query."""
    return rest.answer({"status": "ok"})


def _reader() -> Principal:
    principal = rest.authenticate(app)
    rest.require(principal.may_read, "read")
    return principal
