"""The errors of the use cases, and how work on many calls continues after an unexpected exception in one."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

LogFailure = Callable[[str | None], None]  # logs the exception being handled; takes the id of its call, if it has one


class ConflictError(Exception):
    """Another transaction changed the same rows first. The caller begins its transaction again."""


class UnavailableError(Exception):
    """Postgres cannot be reached. The caller tries again later."""


def raise_again(_call_id: str | None) -> None:
    """A `LogFailure` for tests and tools without a log: the exception continues unchanged."""
    raise  # noqa: PLE0704 - called only while an exception is being handled


@contextmanager
def continue_after_failure(log_failure: LogFailure, call_id: str | None = None) -> Generator[None]:
    """Logs unexpected exceptions of the block and continues after it. Raises `UnavailableError`, which concerns all."""
    try:
        yield
    except UnavailableError:
        raise
    except Exception:
        log_failure(call_id)
