"""What nobody foresaw: it is noted, and takes nothing along that has no part in it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from shared.usecases.journal import UnavailableError

Failed = Callable[[str | None], None]  # notes the exception that is being handled, and of which call where it is one's


def passed_on(_call_id: str | None) -> None:
    """For who has nobody to note it: it goes on as it was raised."""
    raise  # noqa: PLE0704 - whoever calls this is handling one


@contextmanager
def noted(failed: Failed, call_id: str | None = None) -> Generator[None]:
    """Goes on behind the block where it failed, unless all would: then `UnavailableError` goes through."""
    try:
        yield
    except UnavailableError:
        raise
    except Exception:
        failed(call_id)
