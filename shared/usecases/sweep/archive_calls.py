"""Put away what is over: few calls at a time, so that nobody waits for it."""

from datetime import datetime, timedelta

from shared.usecases.errors import ConflictError
from shared.usecases.recording.ports import Transactions

ARCHIVE_AFTER = timedelta(hours=1)  # since a call that is over was last written: by then all its events have come
A_TRANSACTION = 200


def archive_calls(transactions: Transactions, now: datetime, limit: int = A_TRANSACTION) -> int:
    """How many were shelved. Any number of sweeps may do so at once; who works on a call is not disturbed."""
    try:
        with transactions.begin() as unit_of_work:
            return unit_of_work.archive_calls(now - ARCHIVE_AFTER, limit)
    except ConflictError:
        return 0
