"""Answer what a client said on its socket. Whatever it said, the connection lives."""

import json
from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError

from shared.contracts.feed import ErrorFrame, Ping, Pong, Request, Subscribe, Unsubscribe
from shared.contracts.problems import Problem, ProblemError, from_validation, problem, refuse
from shared.usecases.errors import UnavailableError
from shared.usecases.feed.subscribe import subscribe, unsubscribe
from shared.usecases.feed.subscriptions import Listener, Registry

MAX_BYTES = 128 * 1024  # API Gateway's limit for a message
_REQUEST: TypeAdapter[Subscribe | Unsubscribe | Ping] = TypeAdapter(Request)


class UnknownConnectionError(Exception):
    """It is not listed, or no longer: it must be closed, for it would be told nothing."""


def answer_message(registry: Registry, connection_id: str, body: str) -> Iterator[bytes]:
    """The frames to answer with, in order. Raises `UnknownConnectionError`."""
    try:
        yield from _answers(registry, connection_id, _parse(body))
    except ProblemError as error:
        yield error_frame(error.problem)
    except UnavailableError:
        yield error_frame(problem(503, "Switchboard cannot answer at the moment: try again in a few seconds."))


def error_frame(found: Problem) -> bytes:
    return ErrorFrame(problem=found).model_dump_json().encode()


def _answers(registry: Registry, connection_id: str, request: Subscribe | Unsubscribe | Ping) -> Iterator[bytes]:
    listener = _find(registry, connection_id)  # of a ping too: who is not listed must not be kept waiting for news
    if isinstance(request, Ping):
        yield Pong().model_dump_json().encode()
    elif isinstance(request, Subscribe):
        yield from subscribe(registry, listener, request)
    else:
        unsubscribe(registry, listener, request)


def _find(registry: Registry, connection_id: str) -> Listener:
    listener = registry.find(connection_id)
    if listener is None:
        raise UnknownConnectionError(connection_id)
    return listener


def _parse(body: str) -> Subscribe | Unsubscribe | Ping:
    size = len(body.encode(errors="replace"))
    if size > MAX_BYTES:
        raise refuse(413, f"The message is {size} bytes long, {MAX_BYTES} at most.")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise refuse(400, "The message is not JSON.") from None
    try:
        return _REQUEST.validate_python(message)
    except ValidationError as error:
        tagged = error.errors(include_url=False)[0]["type"].startswith("union_tag")
        if tagged:
            raise refuse(400, "The action is subscribe, unsubscribe or ping.", ("action", "is not known")) from None
        raise ProblemError(from_validation(error, skip=1)) from None
