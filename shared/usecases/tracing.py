"""The trace under way. What a request leads to is written and told with it, without passing through every signature."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.contracts.trace import begun

_under_way: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current() -> str:
    """The traceparent of the request under way; apart from any, of a trace that begins here."""
    return _under_way.get() or begun()


@contextmanager
def under(traceparent: str | None) -> Generator[None]:
    """None: whatever is done within has no request for its cause."""
    token = _under_way.set(traceparent)
    try:
        yield
    finally:
        _under_way.reset(token)
