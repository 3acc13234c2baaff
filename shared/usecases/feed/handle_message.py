"""Answer a client's message. An invalid message is answered with an error frame; the connection stays open."""

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
    """The connection is not registered. It would receive no updates, so it must be closed."""


def answer_message(registry: Registry, connection_id: str, body: str) -> Iterator[bytes]:
    """The frames of the answer, in order. Raises `UnknownConnectionError`."""
    try:
        yield from _answers(registry, connection_id, _parse(body))
    except ProblemError as error:
        yield error_frame(error.problem)
    except UnavailableError:
        yield error_frame(problem(503, "Switchboard is not available. Try again in a few seconds."))


def error_frame(problem_details: Problem) -> bytes:
    return ErrorFrame(problem=problem_details).model_dump_json().encode()


def _answers(registry: Registry, connection_id: str, request: Subscribe | Unsubscribe | Ping) -> Iterator[bytes]:
    listener = _find(registry, connection_id)  # for a ping too: an unregistered client must reconnect
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
        raise refuse(413, f"The message has {size} bytes. The limit is {MAX_BYTES}.")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise refuse(400, "The message is not valid JSON.") from None
    try:
        return _REQUEST.validate_python(message)
    except ValidationError as error:
        tagged = error.errors(include_url=False)[0]["type"].startswith("union_tag")
        if tagged:
            raise refuse(400, "Unknown action. Use subscribe, unsubscribe or ping.", ("action", "is unknown")) from None
        raise ProblemError(from_validation(error, skip=1)) from None
