"""What every invocation has in common: its ids in the log, its figures, and failures that quote nobody."""

import logging
import re
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from shared.adapters import log, metrics
from shared.adapters.metrics import Metric

_log = logging.getLogger(__name__)
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
Handler = Callable[[Any, Any], Any]


class FunctionFailedError(Exception):
    """Raised in the place of what went wrong: Lambda writes to the log what a function raises, word for word."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind}: the line before tells where.")


def watched(handle: Handler) -> Handler:
    @wraps(handle)
    def watching(event: Any, context: Any) -> Any:  # noqa: ANN401 - whatever Lambda hands over and takes
        with log.context(request_id=getattr(context, "aws_request_id", None), trace_id=trace_id("")):
            try:
                return handle(event, context)
            except Exception as error:
                failed()
                raise FunctionFailedError(type(error).__name__) from None
            finally:
                metrics.flush()

    return watching


def failed() -> None:
    """To be called where an unexpected error is handled."""
    metrics.count(Metric.FAILURES)
    _log.exception("Unexpected failure")


def trace_id(traceparent: str) -> str:
    """The trace that a caller is in (W3C Trace Context), or a new one."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    return found[1] if found else secrets.token_hex(16)


def traceparent(trace: str) -> str:
    """For whoever is told of this trace, with a span of our own."""
    return f"00-{trace}-{secrets.token_hex(8)}-01"
