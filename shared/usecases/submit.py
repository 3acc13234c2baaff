"""From a sender's words to recorded events and back: REST and SQS both come through here, with the same outcomes."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.contracts.cloudevents import is_cloudevent, opened, traceparent_of
from shared.contracts.events import AgentStatusChanged, CallEvent, parse_event
from shared.contracts.problems import Problem, ProblemError, problem
from shared.contracts.wire import call_words
from shared.domain.call import Call
from shared.domain.facts import Event, NoAnswer, Source
from shared.domain.value import value
from shared.usecases import trace
from shared.usecases.agents import AgentRegistry, StatusChange, change_status
from shared.usecases.failures import Failed, noted, passed_on
from shared.usecases.journal import Journal, UnavailableError
from shared.usecases.narrow import Permits, everything
from shared.usecases.news import Announcer
from shared.usecases.record_events import (
    Applied,
    Impossible,
    KeyReused,
    Outcome,
    Parked,
    Replayed,
    Submission,
    UnknownQueue,
    record_events,
)

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@value
class Result:
    """What the sender of one event is told: an HTTP status, and the answer or the problem."""

    status: int
    body: dict[str, Any] | Problem


@value
class Queued:
    """How a queue brought an event: an id that stays the same when it is delivered again, when it was taken in, and
    the trace that it came in.
    """

    id: str
    sent_at: datetime
    traceparent: str | None = None


@value
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
class Desk:
    """All that submitting needs of the world."""

    journal: Journal
    agents: AgentRegistry
    announcer: Announcer
    new_ids: Callable[[int], Iterator[str]]
    grace: timedelta
    note: Callable[[Sequence[object], Sequence[Result]], None] = lambda _bodies, _results: None
    failed: Failed = passed_on


def submit(
    desk: Desk,
    bodies: Sequence[object],
    now: datetime,
    *,
    history: bool = False,
    key: str | None = None,
    queued: Sequence[Queued] = (),
    permits: Permits = everything,
) -> list[Result]:
    """Record each event; results in the order sent. `key` is the sender's Idempotency-Key for the whole request.

    `queued` says of each how it came, where a queue brought it. What the sender is not permitted to say is refused.

    Raises `UnavailableError` when the whole must be sent again: nothing was recorded, or what stood before an agent's
    event.
    """
    results: dict[int, Result] = {}
    submissions: dict[int, Submission] = {}
    retold: dict[int, Callable[[Problem], Problem]] = {}
    traces: dict[str, str] = {}
    ids = desk.new_ids(len(bodies))
    request_words, is_reused = fingerprint(list(bodies)) if key else "", False
    for index, sent in enumerate(bodies):
        body, own_trace = sent, queued[index].traceparent if queued else None
        try:
            if is_cloudevent(body):
                own_trace = traceparent_of(body) or own_trace
                body, retold[index] = opened(body)
            event = parse_event(body, now)
        except ProblemError as error:
            results[index] = Result(error.problem.status, error.problem)
            continue
        if not permits(event):
            results[index] = _refused(problem(403, "This token does not permit its bearer to say this."))
            continue
        keyed = key if not event.event_id else None
        if keyed:
            retold[index] = _of_the_key
        item_key = key and (f"{key}.{index}" if index else key)
        received_at = now + timedelta(microseconds=index)  # so that undated events of one batch keep the order sent
        arrival = _arrival(event, received_at, item_key, queued[index] if queued else None, ids)
        if isinstance(event, AgentStatusChanged):
            # The calls told of before have this agent or let the agent go, whomever they name.
            results |= _recorded(desk, submissions, now, traces)
            is_reused |= any(said.key and results[place].status == 422 for place, said in submissions.items())
            submissions, traces = {}, {}
            results[index] = _failed()
            with noted(desk.failed), trace.under(own_trace or trace.current()):
                results[index] = _change_agent(desk, event, arrival, fingerprint(body))
        elif is_reused and keyed:
            results[index] = result_of(KeyReused(arrival.id), None)
        else:
            words = request_words if keyed else fingerprint(body)
            submissions[index] = _submission(event, arrival, words, history, keyed)
            if own_trace:
                traces[submissions[index].event.id] = own_trace
    results |= _recorded(desk, submissions, now, traces)
    answers = [_retold(results[index], retold.get(index)) for index in range(len(bodies))]
    desk.note(bodies, answers)
    return answers


def _recorded(
    desk: Desk, sent: Mapping[int, Submission], now: datetime, traces: Mapping[str, str]
) -> dict[int, Result]:
    """An event that fails for a reason that nobody foresaw takes none of its batch along."""
    if not sent:
        return {}
    all_sent = list(sent.values())
    try:
        told = record_events(desk.journal, desk.announcer, all_sent, now, desk.grace, result_of, traces)
    except UnavailableError:
        raise
    except Exception:  # whose it is, each of them alone will tell
        told = [_recorded_alone(desk, submission, now, traces) for submission in all_sent]
    return dict(zip(sent, told, strict=True))


def _recorded_alone(desk: Desk, submission: Submission, now: datetime, traces: Mapping[str, str]) -> Result:
    with noted(desk.failed, submission.event.call_id):
        return record_events(desk.journal, desk.announcer, [submission], now, desk.grace, result_of, traces)[0]
    return _failed()


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


def _arrival(
    event: CallEvent | AgentStatusChanged,
    received_at: datetime,
    key: str | None,
    queued: Queued | None,
    new_ids: Iterator[str],
) -> Arrival:
    named = event.event_id or key
    known = named or (queued.id if queued else None)
    return Arrival(
        id=known or next(new_ids),
        named=named is not None,
        known=known is not None,
        at=event.occurred_at or (queued.sent_at if queued else received_at),
        dated=event.occurred_at is not None or queued is not None,
        received_at=received_at,
    )


def _submission(event: CallEvent, arrival: Arrival, words: str, history: bool, key: str | None) -> Submission:
    return Submission(
        Event(
            id=arrival.id,
            call_id=event.call_id,
            fact=event.fact(),
            at=arrival.at,
            received_at=arrival.received_at,
            dated=arrival.dated,
            source=Source.HISTORY if history else Source.TELEPHONY,
            sequence=event.sequence,
            metadata=event.metadata,
        ),
        words,
        named=arrival.named,
        known=arrival.known,
        key=key,
    )


def _change_agent(desk: Desk, event: AgentStatusChanged, arrival: Arrival, words: str) -> Result:
    change = StatusChange(
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
    outcome = change_status(desk.agents, desk.announcer, change)
    if isinstance(outcome, Problem):
        return _refused(outcome)
    if outcome.declined:
        _decline(desk, outcome.declined, change)
    answer: dict[str, Any] = {"eventId": outcome.event_id, "agentId": event.agent_id, "outcome": outcome.outcome}
    return Result({"applied": 201, "deferred": 202, "replayed": 200}[outcome.outcome], answer)


def _decline(desk: Desk, call_id: str, change: StatusChange) -> None:
    """The next agent's phone rings at once. Were this line never reached, it would when the offer has lapsed."""
    fact, at = NoAnswer(change.agent_id), change.received_at
    declined = Event(next(desk.new_ids(1)), call_id, fact, at, at, source=Source.TELEPHONY)
    record_events(desk.journal, desk.announcer, [Submission(declined, change.fingerprint)], at, desk.grace, result_of)


def result_of(outcome: Outcome, call: Call | None) -> Result:
    """`call` is the call as all that came together left it: what a reader finds now, and what a replay is told."""
    match outcome:
        case Applied(event_id=event_id, call_id=call_id):
            return Result(201, _answer(event_id, call_id, "applied", call))
        case Parked(event_id=event_id, call_id=call_id):
            return Result(202, _answer(event_id, call_id, "parked", call))
        case Replayed(event_id=event_id, call_id=call_id):
            return Result(200, _answer(event_id, call_id, "replayed", call))
        case UnknownQueue(queue_id=queue_id):
            return _refused(problem(400, f"There is no queue {queue_id}.", ("queueId", "is not a queue known here")))
        case KeyReused(event_id=event_id):
            detail = f"The id {event_id} was used before, for something else."
            return _refused(problem(422, detail, ("eventId", "was used before with another body")))
        case Impossible(event=event, status=status):
            detail = f"{event.name} is not possible: call {event.call_id} is {status} at that time."
            return _refused(problem(409, detail, ("event", f"is not possible while the call is {status}")))


def item_of(result: Result) -> dict[str, Any]:
    """A result among others, which has its HTTP status inside."""
    if isinstance(result.body, Problem):
        return {"status": result.status, "problem": result.body.model_dump()}
    return {"status": result.status, **result.body}


def _failed() -> Result:
    return _refused(problem(500, "The failure is in the log of this function, with its cause."))


def _refused(found: Problem) -> Result:
    return Result(found.status, found)


def _answer(event_id: str, call_id: str, outcome: str, call: Call | None) -> dict[str, Any]:
    return {
        "eventId": event_id,
        "callId": call_id,
        "outcome": outcome,
        "call": call and orjson.Fragment(call_words(call)),
    }
