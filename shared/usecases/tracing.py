"""The current trace. Records and messages contain it, without a parameter in every function."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.contracts.trace import new_traceparent

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current() -> str:
    """The `traceparent` of the current request, or of a new trace outside of any request."""
    return _current.get() or new_traceparent()


@contextmanager
def under(traceparent: str | None) -> Generator[None]:
    """Set the current trace within the context. None: the work within has no request as its cause."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)
