"""What every invocation has in common: its ids in the log, its figures, and failures that quote nobody."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from shared.adapters.telemetry import json_log, metrics
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.trace import continued, from_xray, parsed, trace_id
from shared.settings import xray_trace
from shared.usecases import tracing

_log = logging.getLogger(__name__)
Handler = Callable[[Any, Any], Any]


class FunctionFailedError(Exception):
    """Raised in the place of what went wrong: Lambda writes to the log what a function raises, word for word."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind}: the line before tells where.")


def watched(handle: Handler) -> Handler:
    @wraps(handle)
    def watching(event: Any, context: Any) -> Any:  # noqa: ANN401 - whatever Lambda hands over and takes
        with traced(getattr(context, "aws_request_id", None)):
            try:
                return handle(event, context)
            except Exception as error:
                failed()
                raise FunctionFailedError(type(error).__name__) from None
            finally:
                end()

    return watching


def end() -> None:
    """Before the function is frozen until it is asked again."""
    metrics.flush()


def failed(call_id: str | None = None) -> None:
    """To be called where an unexpected error is handled."""
    metrics.count(Metric.FAILURES)
    _log.exception("Unexpected failure", extra={"call_id": call_id} if call_id else None)


@contextmanager
def traced(request_id: str | None, heard: str = "") -> Generator[str]:
    """All that is done and logged within is in the trace that the caller is in (`heard` is its traceparent), else in
    that of AWS, else in one that begins here. Its traceparent, with a span of our own.
    """
    traceparent = continued(parsed(heard) or from_xray(xray_trace()))
    with json_log.context(request_id=request_id, trace_id=trace_id(traceparent)), tracing.under(traceparent):
        yield traceparent
