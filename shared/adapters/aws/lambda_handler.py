"""Shared by all invocations: ids in the log, CloudWatch metrics, and failures without personal data."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from shared.adapters.telemetry import json_log, metrics
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.trace import continue_trace, from_xray, parse_traceparent, trace_id
from shared.settings import xray_trace
from shared.usecases import tracing

_log = logging.getLogger(__name__)
Handler = Callable[[Any, Any], Any]


class FunctionFailedError(Exception):
    """Raised instead of the original error, because Lambda logs the message of an error, which may quote input."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind}: see the previous line of the log.")


def monitored(handle: Handler) -> Handler:
    """Wraps a handler: traces it, logs its failure, and writes its metrics. Raises `FunctionFailedError`."""

    @wraps(handle)
    def handle_monitored(event: Any, context: Any) -> Any:  # noqa: ANN401 - Lambda's own types
        with traced(getattr(context, "aws_request_id", None)):
            try:
                return handle(event, context)
            except Exception as error:
                log_failure()
                raise FunctionFailedError(type(error).__name__) from None
            finally:
                end_invocation()

    return handle_monitored


def end_invocation() -> None:
    """Must be called before Lambda freezes the function."""
    metrics.flush()


def log_failure(call_id: str | None = None) -> None:
    """Count and log the unexpected error that is being handled."""
    metrics.count(Metric.FAILURES)
    _log.exception("Unexpected failure", extra={"call_id": call_id} if call_id else None)


@contextmanager
def traced(request_id: str | None, traceparent_header: str = "") -> Generator[str]:
    """Continue the caller's trace, else that of AWS X-Ray, else begin one. Logs within contain its id.

    Yields the `traceparent` of a new span.
    """
    traceparent = continue_trace(parse_traceparent(traceparent_header) or from_xray(xray_trace()))
    with json_log.context(request_id=request_id, trace_id=trace_id(traceparent)), tracing.under(traceparent):
        yield traceparent
