"""Put away what is over: few calls at a time, so that nobody waits for it."""

from datetime import datetime, timedelta

from shared.usecases.journal import ConflictError, Journal

SHELVE_AFTER = timedelta(hours=1)  # since a call that is over was last written: by then all its events have come
A_TRANSACTION = 200


def shelve(journal: Journal, now: datetime, limit: int = A_TRANSACTION) -> int:
    """How many were shelved. Any number of sweeps may do so at once; who works on a call is not disturbed."""
    try:
        with journal.transaction() as ledger:
            return ledger.shelve(now - SHELVE_AFTER, limit)
    except ConflictError:
        return 0
