"""Raises cancellations that a library has swallowed."""

import asyncio


def raise_pending_cancellation() -> None:
    """Raises `CancelledError` if the current task was cancelled and the exception was swallowed.

    redis-py swallows a cancellation that arrives while it closes a connection or ends a read. Until Python 3.13, a task
    group swallows one that arrives together with an error inside the group (see its documentation).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
