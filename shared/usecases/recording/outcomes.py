"""What a sender is told of each event: an HTTP status, and the answer or the problem."""

from typing import Any

import orjson

from shared.contracts.problems import Problem, problem
from shared.contracts.wire import call_words
from shared.domain.call import Call
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


@fast_frozen
class Result:
    status: int
    body: dict[str, Any] | Problem


def refused(found: Problem) -> Result:
    return Result(found.status, found)


def failed() -> Result:
    return refused(problem(500, "The failure is in the log of this function, with its cause."))


def result_of(outcome: Outcome, call: Call | None) -> Result:
    """`call` is the call as all that came together left it: what a reader finds now, and what a replay is told."""
    match outcome:
        case Applied(event_id=event_id, call_id=call_id):
            return Result(201, _answer(event_id, call_id, "applied", call))
        case Deferred(event_id=event_id, call_id=call_id):
            return Result(202, _answer(event_id, call_id, "deferred", call))
        case Replayed(event_id=event_id, call_id=call_id):
            return Result(200, _answer(event_id, call_id, "replayed", call))
        case UnknownQueue(queue_id=queue_id):
            return refused(problem(400, f"There is no queue {queue_id}.", ("queueId", "is not a queue known here")))
        case KeyReused(event_id=event_id):
            detail = f"The id {event_id} was used before, for something else."
            return refused(problem(422, detail, ("eventId", "was used before with another body")))
        case Illegal(event=event, status=status):
            detail = f"{event.name} is not possible: call {event.call_id} is {status} at that time."
            return refused(problem(409, detail, ("event", f"is not possible while the call is {status}")))


def item_of(result: Result) -> dict[str, Any]:
    """A result among others, which has its HTTP status inside."""
    if isinstance(result.body, Problem):
        return {"status": result.status, "problem": result.body.model_dump()}
    return {"status": result.status, **result.body}


def _answer(event_id: str, call_id: str, outcome: str, call: Call | None) -> dict[str, Any]:
    return {
        "eventId": event_id,
        "callId": call_id,
        "outcome": outcome,
        "call": call and orjson.Fragment(call_words(call)),
    }
