"""A cancellation that somebody swallowed is still on record, and can be obeyed late."""

import asyncio


def obey_cancellation() -> None:
    """Raises `CancelledError` where the present task was cancelled and has not noticed.

    redis-py drops a cancellation that meets the end of a connection or of a reading, and until Python 3.13 a task group
    drops one that meets an error inside it, as its documentation says.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
