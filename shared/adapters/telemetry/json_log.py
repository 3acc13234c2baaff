"""Logs as JSON lines that a person and a query can both read. What callers said of themselves is never in them."""

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

LONGEST = 300  # characters of an error's own words
_context: ContextVar[dict[str, Any]] = ContextVar("log_context")


def configure(service: str, level: str) -> logging.Logger:
    """Every logger of the process writes to stdout in one form, whoever made it."""
    # What no line of ours tells is not looked up for it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(service=service, utc=True, use_rfc3339=True, serialize_stacktrace=False))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells of each credential that it finds
    return logging.getLogger(service)


@contextmanager
def context(**keys: Any) -> Generator[None]:  # noqa: ANN401 - whatever JSON holds
    """Every line written within carries these keys, where they are known."""
    token = _context.set(current() | {key: value for key, value in keys.items() if value})
    try:
        yield
    finally:
        _context.reset(token)


def current() -> dict[str, Any]:
    return _context.get({})


def traces(*traceparents: str | None) -> dict[str, list[str]]:
    """For a line that tells of other requests than its own, whose trace stands in every line of it."""
    told = dict.fromkeys(trace_id(one) for one in traceparents if one)
    told.pop(current().get("trace_id", ""), None)
    return {"traces": list(told)} if told else {}


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
        return "\n".join(_told(ei[1]))


def _told(error: BaseException | None) -> Iterator[str]:
    """The chain of an error: where each was raised, and its words as far as they quote nobody."""
    if error is None:
        return
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from _told(cause)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"
    yield f"{type(error).__module__}.{type(error).__qualname__}: {words(error)}"
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any
            yield from _told(part)  # pyright: ignore[reportUnknownArgumentType] - as above


def words(error: BaseException) -> str:
    """What an error says, without the rows that Postgres quotes and the input that Pydantic does."""
    if diagnosis := getattr(error, "diag", None):
        return str(diagnosis.message_primary or type(error).__name__)
    if callable(count := getattr(error, "error_count", None)):
        return f"{count()} errors of validation"
    return next(iter(str(error).splitlines()), "")[:LONGEST]
