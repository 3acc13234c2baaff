"""Records events from REST and from the queue, and sets up queues and agents."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chalice.app import Response

from shared import wiring
from shared.adapters import clock
from shared.adapters.aws.lambda_handler import monitored
from shared.adapters.http import rest
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.json_log import traces
from shared.adapters.telemetry.metrics import Metric
from shared.contracts import cloudevents
from shared.contracts.body import items
from shared.contracts.dead_letters import parse_redrive
from shared.contracts.health import HealthProblem
from shared.contracts.problems import Problem
from shared.contracts.setup import (
    AgentSetup,
    QueueSetup,
    parse_history,
    parse_id,
    parse_key,
    parse_new_agent,
    parse_setup,
)
from shared.contracts.trace import from_xray, parse_traceparent
from shared.usecases.errors import UnavailableError
from shared.usecases.recording.change_agent_status import set_up_agent
from shared.usecases.recording.event_check import event_check
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result, item_of
from shared.usecases.recording.redrive_dead_letters import redrive
from shared.usecases.recording.submit_events import submit
from shared.usecases.recording.submit_messages import Message, submit_messages
from shared.usecases.sweep.after_commit import offer_waiting_calls, publish, wake_idle_workers

app = rest.rest_app("ingest")
log = wiring.logger("ingest")


@rest.route(app, "/api/events", "POST")
def post_events() -> Response:
    principal = rest.authenticate(app)
    rest.require(principal.may_send, "send events")
    history = parse_history(rest.query(app).get("history", "false"))
    rest.require(principal.may_administer or not history, "send history")
    body = _events()
    key = parse_key(rest.header(app, "idempotency-key"))
    may_send = event_check(principal, wiring.registry)
    services = wiring.ingest_services()
    submitted = submit(services, items(body), clock.now(), history=history, key=key, may_send=may_send)
    _after_commit(submitted.notices)
    if isinstance(body, list):
        return rest.answer({"results": [item_of(result) for result in submitted.results]})
    return _single(submitted.results[0])


def _after_commit(notices: Sequence[TransactionNotices]) -> None:
    """No step turns a recorded event into an error. The sweep repeats what fails."""
    services = wiring.sweep_services()
    publish(services, notices)
    offer_waiting_calls(services, notices, clock.now())
    wake_idle_workers(services, clock.now())


@app.lambda_function(name="from_queue")
@monitored
def from_queue(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Returns refused messages to SQS, which moves them to the dead-letter queue; all messages during an outage of
    Postgres.
    """
    now = clock.now()
    messages = [_message(record, now) for record in event["Records"]]
    try:
        submitted = submit_messages(wiring.ingest_services(), messages, now)
        refused, notices = submitted.refused, submitted.notices
    except UnavailableError as error:
        log.error("queue: %d messages are returned: %s", len(messages), error)
        metrics.count(Metric.UNAVAILABLE)
        refused, notices = {message.id: list[Problem]() for message in messages}, []
    _after_commit(notices)
    for message in messages:
        for problem in refused.get(message.id, ()):
            log_fields = traces(message.traceparent)
            log.warning("message %s is returned: %d %s", message.id, problem.status, problem.title, extra=log_fields)
    log.info("queue: %d messages, %d refused", len(messages), len(refused))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in refused]}


@rest.route(app, "/api/dead-letters/redrive", "POST")
def post_redrive() -> Response:
    rest.require(rest.authenticate(app).may_administer_all, "redrive dead letters")
    wanted = parse_redrive(rest.json_body(app))
    answer, notices = redrive(wiring.ingest_services(), wiring.dead_letters(wiring.database()), wanted, clock.now())
    _after_commit(notices)
    return rest.answer(answer)


@rest.route(app, "/api/health/deep")
def deep_health() -> Response:
    """The state of every part; 503 if an essential part is down. This function is the one that reaches all parts."""
    rest.require(rest.authenticate(app).may_administer_all, "look inside")
    report = wiring.health()
    return rest.refusal(HealthProblem.of(report["parts"])) if report["status"] == "down" else rest.answer(report)


@rest.route(app, "/api/queues/{queue_id}", "PUT")
def put_queue(queue_id: str) -> Response:
    principal = rest.authenticate(app)
    rest.require(principal.may_administer and principal.can_see(queue_id), "set up this queue")
    setup = parse_setup(QueueSetup, rest.json_body(app))
    rest.require(not setup.overflow_queue_id or principal.can_see(setup.overflow_queue_id), "overflow to this queue")
    return rest.answer(wiring.agents().put_queue(parse_id("queueId", queue_id), setup))


@rest.route(app, "/api/agents/{agent_id}", "PUT")
def put_agent(agent_id: str) -> Response:
    rest.require(rest.authenticate(app).may_administer_all, "set up agents")
    setup = parse_setup(AgentSetup, rest.json_body(app))
    agent_id = parse_new_agent("agentId", agent_id)
    agent, notices = set_up_agent(wiring.agents(), agent_id, setup, clock.now())
    _after_commit([notices])
    return rest.answer(agent)


def _events() -> object:
    """One event or a batch, as plain JSON or as CloudEvents."""
    if rest.header(app, "ce-specversion"):
        return cloudevents.from_headers(lambda name: rest.header(app, name), rest.json_body(app))
    body = rest.json_body(app, cloudevents.STRUCTURED, cloudevents.BATCHED)
    return cloudevents.check_content_type(body, rest.content_type(app))


def _message(record: dict[str, Any], now: datetime) -> Message:
    sent = record.get("attributes", {}).get("SentTimestamp")
    sent_at = datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else now
    return Message(record["messageId"], record["body"], sent_at, _traceparent(record))


def _traceparent(record: dict[str, Any]) -> str | None:
    """The trace from the message's attribute, or the trace that AWS recorded of its sender."""
    value = record.get("messageAttributes", {}).get("traceparent", {}).get("stringValue")
    return parse_traceparent(value) or from_xray(record.get("attributes", {}).get("AWSTraceHeader", ""))


def _single(result: Result) -> Response:
    if isinstance(result.body, Problem):
        return rest.refusal(result.body)
    return rest.answer(result.body, result.status)
