"""The result of each event for its sender: an HTTP status, and the answer or the problem."""

from typing import Any

import orjson

from shared.contracts.answers import CallAnswer
from shared.contracts.plain_json import compile_json
from shared.contracts.problems import Problem, problem
from shared.domain.fast import fast_frozen
from shared.usecases.recording.record_events import (
    Applied,
    Deferred,
    Illegal,
    KeyReused,
    Outcome,
    Replayed,
    UnknownQueue,
)

_make_answer = compile_json(CallAnswer)


@fast_frozen
class Result:
    status: int
    body: dict[str, Any] | Problem


def refused(problem: Problem) -> Result:
    return Result(problem.status, problem)


def failed() -> Result:
    return refused(problem(500, "Unexpected error. The log of this function contains the cause."))


def result_of(outcome: Outcome, call_view: bytes | None) -> Result:
    """Return the answer to an event. `call_view` is the encoded view of its call after the transaction."""
    match outcome:
        case Applied(event_id=event_id, call_id=call_id):
            return Result(201, _answer(event_id, call_id, "applied", call_view))
        case Deferred(event_id=event_id, call_id=call_id):
            return Result(202, _answer(event_id, call_id, "deferred", call_view))
        case Replayed(event_id=event_id, call_id=call_id):
            return Result(200, _answer(event_id, call_id, "replayed", call_view))
        case UnknownQueue(queue_id=queue_id):
            return refused(problem(400, f"There is no queue {queue_id}.", ("queueId", "is not a queue known here")))
        case KeyReused(event_id=event_id):
            detail = f"The id {event_id} was used before, for something else."
            return refused(problem(422, detail, ("eventId", "was used before with another body")))
        case Illegal(event=event, status=status):
            detail = f"{event.name} is not possible: call {event.call_id} is {status} at that time."
            return refused(problem(409, detail, ("event", f"is not possible while the call is {status}")))


def item_of(result: Result) -> dict[str, Any]:
    """A result of a batch, with its HTTP status."""
    if isinstance(result.body, Problem):
        return {"status": result.status, "problem": result.body.model_dump()}
    return {"status": result.status, **result.body}


def _answer(event_id: str, call_id: str, outcome: str, call_view: bytes | None) -> dict[str, Any]:
    call = orjson.Fragment(call_view) if call_view else None
    return _make_answer(event_id=event_id, call_id=call_id, outcome=outcome, call=call)
