"""Reads, records and answers the events of a request or of a queue delivery, with the same outcomes for both."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import orjson

from shared.contracts.cloudevents import is_cloudevent, open_envelope, traceparent_of
from shared.contracts.events import AgentStatusChanged, CallEvent, parse_event
from shared.contracts.problems import Problem, ProblemError, refuse
from shared.domain.events import Event, NoAnswer, Source
from shared.domain.fast import fast_frozen
from shared.usecases import tracing
from shared.usecases.errors import LogFailure, UnavailableError, continue_after_failure, raise_again
from shared.usecases.recording.change_agent_status import AgentRegistry, StatusChange, change_status
from shared.usecases.recording.event_check import EventCheck, allow_all
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result, failed, refused, result_of
from shared.usecases.recording.ports import Transactions
from shared.usecases.recording.record_events import KeyReused, Submission, record_events

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@fast_frozen
class Queued:
    """How a queue delivered an event.

    id: stays the same when the message is delivered again.
    sent_at: when the queue received the message.
    traceparent: the sender's trace.
    """

    id: str
    sent_at: datetime
    traceparent: str | None = None


@fast_frozen
class Arrival:
    """Values of an event, with defaults for the fields that the sender omitted.

    has_sender_id: whether the sender chose the id, or the Idempotency-Key from which it is derived.
    has_stable_id: whether the id stays the same when the event is sent again.
    dated: whether the sender or the queue gave the time.
    """

    id: str
    has_sender_id: bool
    has_stable_id: bool
    at: datetime
    dated: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class IngestServices:
    """`grace` is the time for which a deferred event waits for its predecessor."""

    transactions: Transactions
    agents: AgentRegistry
    new_ids: Callable[[int], Iterator[str]]
    grace: timedelta
    log_results: Callable[[Sequence[object], Sequence[Result]], None] = lambda _bodies, _results: None
    log_failure: LogFailure = raise_again


@dataclass(frozen=True, slots=True)
class Submitted:
    """The results in the order sent, and the notices of each transaction, which the caller publishes."""

    results: list[Result]
    notices: list[TransactionNotices]


def submit(
    services: IngestServices,
    bodies: Sequence[object],
    now: datetime,
    *,
    history: bool = False,
    key: str | None = None,
    queued: Sequence[Queued] = (),
    may_send: EventCheck = allow_all,
) -> Submitted:
    """Record each event. The caller publishes the notices.

    `key` is the sender's Idempotency-Key for the whole request. `queued` has an entry for each event of a queue.
    Events that `may_send` does not permit are refused.

    Raises `UnavailableError` if all events must be sent again. None was recorded then, or only those before an agent's
    event, which the sweep publishes.
    """
    request = _Request(
        services, now, services.new_ids(len(bodies)), history, key, fingerprint(list(bodies)) if key else ""
    )
    for index, body in enumerate(bodies):
        request.take(index, body, queued[index] if queued else None, may_send)
    results = request.results()
    services.log_results(bodies, results)
    return Submitted(results, request.notices)


@dataclass(slots=True)
class _Request:
    """The events of one request. Those between two reports of agents are recorded in one transaction."""

    _services: IngestServices
    _now: datetime
    _new_ids: Iterator[str]
    _history: bool
    _key: str | None
    _fingerprint: str  # of the whole request, if it has a key
    _is_key_reused: bool = False  # for a different request
    _results: dict[int, Result] = field(default_factory=dict[int, Result])
    _pending: dict[int, Submission] = field(default_factory=dict[int, Submission])
    _traces: dict[str, str] = field(default_factory=dict[str, str])
    notices: list[TransactionNotices] = field(default_factory=list[TransactionNotices])
    _translate: dict[int, Callable[[Problem], Problem]] = field(default_factory=dict[int, Callable[[Problem], Problem]])

    def take(self, index: int, body: object, queued: Queued | None, may_send: EventCheck) -> None:
        """Read an event. A call's event is recorded later, with the others."""
        own_trace = queued.traceparent if queued else None
        try:
            if is_cloudevent(body):
                own_trace = traceparent_of(body) or own_trace
                body, self._translate[index] = open_envelope(body)
            event = parse_event(body, self._now)
            if not may_send(event):
                raise refuse(403, "This token does not permit this event.")
        except ProblemError as error:
            self._results[index] = refused(error.problem)
            return
        keyed = self._key if not event.event_id else None
        if keyed:
            self._translate[index] = _problem_of_key
        arrival = self._arrival(index, event, queued)
        if isinstance(event, AgentStatusChanged):
            self._change_agent(index, event, arrival, fingerprint(body), own_trace)
        elif self._is_key_reused and keyed:
            self._results[index] = result_of(KeyReused(arrival.id), None)
        else:
            digest = self._fingerprint if keyed else fingerprint(body)
            self._pending[index] = _submission(event, arrival, digest, self._history, keyed)
            if own_trace:
                self._traces[arrival.id] = own_trace

    def results(self) -> list[Result]:
        """Record the pending events. Returns the results of all events, in the order sent."""
        self._record()
        return [_translated(self._results[index], self._translate.get(index)) for index in range(len(self._results))]

    def _arrival(self, index: int, event: CallEvent | AgentStatusChanged, queued: Queued | None) -> Arrival:
        received_at = self._now + timedelta(microseconds=index)  # undated events of a batch keep the order sent
        key = self._key and (f"{self._key}.{index}" if index else self._key)
        sender_id = event.event_id or key
        stable_id = sender_id or (queued.id if queued else None)
        return Arrival(
            id=stable_id or next(self._new_ids),
            has_sender_id=sender_id is not None,
            has_stable_id=stable_id is not None,
            at=event.occurred_at or (queued.sent_at if queued else received_at),
            dated=event.occurred_at is not None or queued is not None,
            received_at=received_at,
        )

    def _change_agent(
        self, index: int, event: AgentStatusChanged, arrival: Arrival, digest: str, own_trace: str | None
    ) -> None:
        """Record the events sent before first, because their calls may take or release the agent."""
        self._record()
        self._results[index] = failed()
        with continue_after_failure(self._services.log_failure), tracing.under(own_trace or tracing.current()):
            self._results[index] = self._status_result(event, _status_change(event, arrival, digest))

    def _record(self) -> None:
        if not self._pending:
            return
        results = self._recorded(list(self._pending.values()))
        self._is_key_reused |= any(
            submission.key and result.status == HTTPStatus.UNPROCESSABLE_ENTITY
            for submission, result in zip(self._pending.values(), results, strict=True)
        )
        self._results |= zip(self._pending, results, strict=True)
        self._pending, self._traces = {}, {}

    def _recorded(self, submissions: Sequence[Submission]) -> list[Result]:
        """If an event fails unexpectedly, the rest of its batch is recorded."""
        try:
            return self._record_events(submissions)
        except UnavailableError:
            raise
        except Exception:  # each event alone shows which one failed
            return [self._recorded_alone(submission) for submission in submissions]

    def _recorded_alone(self, submission: Submission) -> Result:
        with continue_after_failure(self._services.log_failure, submission.event.call_id):
            return self._record_events([submission])[0]
        return failed()

    def _record_events(self, submissions: Sequence[Submission]) -> list[Result]:
        services = self._services
        batch = record_events(services.transactions, submissions, self._now, services.grace, self._traces)
        self.notices.append(batch.notices)
        return list(map(result_of, batch.outcomes, batch.call_views))

    def _status_result(self, event: AgentStatusChanged, change: StatusChange) -> Result:
        outcome, notices = change_status(self._services.agents, change)
        self.notices.append(notices)
        if isinstance(outcome, Problem):
            return refused(outcome)
        if outcome.declined:
            self._decline(outcome.declined, change)
        answer: dict[str, Any] = {"eventId": outcome.event_id, "agentId": event.agent_id, "outcome": outcome.outcome}
        return Result({"applied": 201, "deferred": 202, "replayed": 200}[outcome.outcome], answer)

    def _decline(self, call_id: str, change: StatusChange) -> None:
        """End the offer now. After a kill before this line, its timer ends it."""
        fact, at = NoAnswer(change.agent_id), change.received_at
        declined = Event(next(self._services.new_ids(1)), call_id, fact, at, at, source=Source.TELEPHONY)
        batch = record_events(
            self._services.transactions,
            [Submission(declined, change.fingerprint)],
            at,
            self._services.grace,
        )
        self.notices.append(batch.notices)


def _translated(result: Result, translate: Callable[[Problem], Problem] | None) -> Result:
    """The problem in terms of what was sent: of a CloudEvent, or of an Idempotency-Key."""
    if translate is None or not isinstance(result.body, Problem):
        return result
    return Result(result.status, translate(result.body))


def _problem_of_key(problem: Problem) -> Problem:
    """Name the Idempotency-Key instead of the event id that was derived from it."""
    names = {"eventId": "Idempotency-Key"}
    errors = [error.model_copy(update={"field": names.get(error.field, error.field)}) for error in problem.errors]
    return problem.model_copy(update={"errors": errors})


def fingerprint(body: object) -> str:
    """A hash of the JSON without the event id. The order of fields makes no difference."""
    content = body
    if isinstance(body, dict) and "eventId" in body:
        content: object = body.copy()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
        del content["eventId"]
    try:
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, in an unknown field
        canonical = _CANONICAL.encode(content).encode()
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _submission(event: CallEvent, arrival: Arrival, digest: str, history: bool, key: str | None) -> Submission:
    return Submission(
        Event(
            id=arrival.id,
            call_id=event.call_id,
            fact=event.fact(),
            at=arrival.at,
            received_at=arrival.received_at,
            dated=arrival.dated,
            source=Source.IMPORT if history else Source.TELEPHONY,
            sequence=event.sequence,
            metadata=event.metadata,
        ),
        digest,
        has_sender_id=arrival.has_sender_id,
        has_stable_id=arrival.has_stable_id,
        key=key,
    )


def _status_change(event: AgentStatusChanged, arrival: Arrival, digest: str) -> StatusChange:
    return StatusChange(
        event_id=arrival.id,
        agent_id=event.agent_id,
        status=event.status,
        reason=event.reason,
        at=arrival.at,
        received_at=arrival.received_at,
        fingerprint=digest,
        dated=arrival.dated,
        sequence=event.sequence,
    )
