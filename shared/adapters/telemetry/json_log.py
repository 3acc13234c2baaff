"""Logs as JSON lines, without personal data of callers."""

import logging
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import orjson
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from shared.contracts.trace import trace_id

MAX_MESSAGE_CHARACTERS = 300  # of an error
_context: ContextVar[dict[str, Any]] = ContextVar("log_context")


def configure(service: str, level: str) -> logging.Logger:
    """Make every logger of the process write JSON to stdout."""
    # Not in the output, so not determined for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(service=service, utc=True, use_rfc3339=True, serialize_stacktrace=False))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it logs where it finds credentials
    return logging.getLogger(service)


@contextmanager
def context(**keys: Any) -> Generator[None]:  # noqa: ANN401 - JSON values
    """Add these keys to every line within the context. Keys without a value are omitted."""
    token = _context.set(current() | {key: value for key, value in keys.items() if value})
    try:
        yield
    finally:
        _context.reset(token)


def current() -> dict[str, Any]:
    return _context.get({})


def traces(*traceparents: str | None) -> dict[str, list[str]]:
    """The log field for traces of other requests. The current trace is in every line."""
    trace_ids = dict.fromkeys(trace_id(each) for each in traceparents if each)
    trace_ids.pop(current().get("trace_id", ""), None)
    return {"traces": list(trace_ids)} if trace_ids else {}


class _Formatter(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        for key, value in current().items():
            setattr(record, key, value)
        return super().format(record)

    def serialize(self, log: Any) -> str:  # noqa: ANN401 - the interface of the library
        try:
            return orjson.dumps(log, default=str, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
        except orjson.JSONEncodeError:  # a lone surrogate, in an id
            return super().serialize(log).encode(errors="backslashreplace").decode()

    def formatException(self, ei: Any) -> str:  # noqa: ANN401 - the interface of logging
        return "\n".join(_chain(ei[1]))


def _chain(error: BaseException | None) -> Iterator[str]:
    """The chain of an error: where each was raised, and its message without quoted input."""
    if error is None:
        return
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from _chain(cause)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"
    yield f"{type(error).__module__}.{type(error).__qualname__}: {safe_message(error)}"
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any
            yield from _chain(part)  # pyright: ignore[reportUnknownArgumentType] - as above


def safe_message(error: BaseException) -> str:
    """The message of an error, without the rows that Postgres quotes and the input that Pydantic quotes."""
    if diagnostic := getattr(error, "diag", None):
        return str(diagnostic.message_primary or type(error).__name__)
    if callable(count := getattr(error, "error_count", None)):
        return f"{count()} validation errors"
    return next(iter(str(error).splitlines()), "")[:MAX_MESSAGE_CHARACTERS]
