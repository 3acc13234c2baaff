"""From a sender's words to recorded events and back: REST and SQS both come through here, with the same outcomes."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.contracts.cloudevents import is_cloudevent, opened, traceparent_of
from shared.contracts.events import AgentStatusChanged, CallEvent, parse_event
from shared.contracts.problems import Problem, ProblemError, refuse
from shared.domain.events import Event, NoAnswer, Source
from shared.domain.fast import fast_frozen
from shared.usecases import tracing
from shared.usecases.access import EventCheck, allow_all
from shared.usecases.errors import LogFailure, UnavailableError, continue_after_failure, raise_again
from shared.usecases.recording.change_agent_status import AgentRegistry, StatusChange, change_status
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result, failed, refused, result_of
from shared.usecases.recording.ports import Transactions
from shared.usecases.recording.record_events import KeyReused, Submission, record_events

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@fast_frozen
class Queued:
    """How a queue brought an event: an id that stays the same when it is delivered again, when it was taken in, and
    the trace that it came in.
    """

    id: str
    sent_at: datetime
    traceparent: str | None = None


@fast_frozen
class Arrival:
    """What stands for what a sender left out. `named` says that the id is the sender's own, `known` that it was not
    made here.
    """

    id: str
    named: bool
    known: bool
    at: datetime
    dated: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class IngestServices:
    """All that submitting needs of the world."""

    transactions: Transactions
    agents: AgentRegistry
    new_ids: Callable[[int], Iterator[str]]
    grace: timedelta
    note: Callable[[Sequence[object], Sequence[Result]], None] = lambda _bodies, _results: None
    failed: LogFailure = raise_again


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
    """Record each event. `key` is the sender's Idempotency-Key for the whole request.

    `queued` says of each how it came, where a queue brought it. What the sender is not permitted to say is refused.

    Raises `UnavailableError` when the whole must be sent again: nothing was recorded, or what stood before an agent's
    event.
    """
    request = _Request(
        services, now, services.new_ids(len(bodies)), history, key, fingerprint(list(bodies)) if key else ""
    )
    for index, body in enumerate(bodies):
        request.take(index, body, queued[index] if queued else None, may_send)
    results = request.results()
    services.note(bodies, results)
    return Submitted(results, request.notices)


@dataclass(slots=True)
class _Request:
    """Events that came together. They are recorded together too, as far as no agent's own word stands between them."""

    _services: IngestServices
    _now: datetime
    _new_ids: Iterator[str]
    _history: bool
    _key: str | None
    _words: str  # of the whole, which its key stands for
    _is_reused: bool = False  # the key, for other words
    _found: dict[int, Result] = field(default_factory=dict[int, Result])
    _waiting: dict[int, Submission] = field(default_factory=dict[int, Submission])
    _traces: dict[str, str] = field(default_factory=dict[str, str])
    notices: list[TransactionNotices] = field(default_factory=list[TransactionNotices])
    _retold: dict[int, Callable[[Problem], Problem]] = field(default_factory=dict[int, Callable[[Problem], Problem]])

    def take(self, index: int, body: object, queued: Queued | None, may_send: EventCheck) -> None:
        """Read an event, and keep it to be recorded with the others."""
        own_trace = queued.traceparent if queued else None
        try:
            if is_cloudevent(body):
                own_trace = traceparent_of(body) or own_trace
                body, self._retold[index] = opened(body)
            event = parse_event(body, self._now)
            if not may_send(event):
                raise refuse(403, "This token does not permit this event.")
        except ProblemError as error:
            self._found[index] = refused(error.problem)
            return
        keyed = self._key if not event.event_id else None
        if keyed:
            self._retold[index] = _of_the_key
        arrival = self._arrival(index, event, queued)
        if isinstance(event, AgentStatusChanged):
            self._change_agent(index, event, arrival, fingerprint(body), own_trace)
        elif self._is_reused and keyed:
            self._found[index] = result_of(KeyReused(arrival.id), None)
        else:
            words = self._words if keyed else fingerprint(body)
            self._waiting[index] = _submission(event, arrival, words, self._history, keyed)
            if own_trace:
                self._traces[arrival.id] = own_trace

    def results(self) -> list[Result]:
        """Of all that was taken, in its order, in its sender's terms."""
        self._record()
        return [_retold(self._found[index], self._retold.get(index)) for index in range(len(self._found))]

    def _arrival(self, index: int, event: CallEvent | AgentStatusChanged, queued: Queued | None) -> Arrival:
        received_at = self._now + timedelta(microseconds=index)  # undated events of a batch keep the order sent
        key = self._key and (f"{self._key}.{index}" if index else self._key)
        named = event.event_id or key
        known = named or (queued.id if queued else None)
        return Arrival(
            id=known or next(self._new_ids),
            named=named is not None,
            known=known is not None,
            at=event.occurred_at or (queued.sent_at if queued else received_at),
            dated=event.occurred_at is not None or queued is not None,
            received_at=received_at,
        )

    def _change_agent(
        self, index: int, event: AgentStatusChanged, arrival: Arrival, words: str, own_trace: str | None
    ) -> None:
        """After the calls told of before: they have this agent or let the agent go, whomever they name."""
        self._record()
        self._found[index] = failed()
        with continue_after_failure(self._services.failed), tracing.under(own_trace or tracing.current()):
            self._found[index] = self._changed(event, _status_change(event, arrival, words))

    def _record(self) -> None:
        if not self._waiting:
            return
        told = self._recorded(list(self._waiting.values()))
        self._found |= zip(self._waiting, told, strict=True)
        self._is_reused |= any(said.key and self._found[index].status == 422 for index, said in self._waiting.items())
        self._waiting, self._traces = {}, {}

    def _recorded(self, submissions: Sequence[Submission]) -> list[Result]:
        """If an event fails unexpectedly, the rest of its batch is recorded."""
        try:
            return self._record_events(submissions)
        except UnavailableError:
            raise
        except Exception:  # each event alone shows which one failed
            return [self._recorded_alone(submission) for submission in submissions]

    def _recorded_alone(self, submission: Submission) -> Result:
        with continue_after_failure(self._services.failed, submission.event.call_id):
            return self._record_events([submission])[0]
        return failed()

    def _record_events(self, submissions: Sequence[Submission]) -> list[Result]:
        services = self._services
        results, news = record_events(
            services.transactions, submissions, self._now, services.grace, result_of, self._traces
        )
        self.notices.append(news)
        return results

    def _changed(self, event: AgentStatusChanged, change: StatusChange) -> Result:
        outcome, news = change_status(self._services.agents, change)
        self.notices.append(news)
        if isinstance(outcome, Problem):
            return refused(outcome)
        if outcome.declined:
            self._decline(outcome.declined, change)
        answer: dict[str, Any] = {"eventId": outcome.event_id, "agentId": event.agent_id, "outcome": outcome.outcome}
        return Result({"applied": 201, "deferred": 202, "replayed": 200}[outcome.outcome], answer)

    def _decline(self, call_id: str, change: StatusChange) -> None:
        """The call is offered to the next agent now. After a kill before this line, the offer's timer does that."""
        fact, at = NoAnswer(change.agent_id), change.received_at
        declined = Event(next(self._services.new_ids(1)), call_id, fact, at, at, source=Source.TELEPHONY)
        _, news = record_events(
            self._services.transactions,
            [Submission(declined, change.fingerprint)],
            at,
            self._services.grace,
            result_of,
        )
        self.notices.append(news)


def _retold(result: Result, retell: Callable[[Problem], Problem] | None) -> Result:
    """Who sent an envelope is told of it, not of what was in it."""
    if retell is None or not isinstance(result.body, Problem):
        return result
    return Result(result.status, retell(result.body))


def _of_the_key(found: Problem) -> Problem:
    """Who gave the request a key, and this event no id, is told of the key."""
    told = {"eventId": "Idempotency-Key"}
    errors = [error.model_copy(update={"field": told.get(error.field, error.field)}) for error in found.errors]
    return found.model_copy(update={"errors": errors})


def fingerprint(body: object) -> str:
    """The same for the same words, whatever their order; the event's id is not part of what it says."""
    said = body
    if isinstance(body, dict) and "eventId" in body:
        said: object = body.copy()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
        del said["eventId"]
    try:
        words = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, in a field that nobody reads
        words = _CANONICAL.encode(said).encode()
    return hashlib.blake2b(words, digest_size=16).hexdigest()


def _submission(event: CallEvent, arrival: Arrival, words: str, history: bool, key: str | None) -> Submission:
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
        words,
        named=arrival.named,
        known=arrival.known,
        key=key,
    )


def _status_change(event: AgentStatusChanged, arrival: Arrival, words: str) -> StatusChange:
    return StatusChange(
        event_id=arrival.id,
        agent_id=event.agent_id,
        status=event.status,
        reason=event.reason,
        at=arrival.at,
        received_at=arrival.received_at,
        fingerprint=words,
        dated=arrival.dated,
        sequence=event.sequence,
    )
