"""Archives calls that are over, a few at a time, so that no other transaction waits long."""

from datetime import datetime, timedelta

from shared.usecases.errors import ConflictError
from shared.usecases.recording.ports import Transactions

ARCHIVE_AFTER = timedelta(hours=1)  # since the last change of the call; late events have arrived by then
CALLS_PER_TRANSACTION = 200


def archive_calls(transactions: Transactions, now: datetime, limit: int = CALLS_PER_TRANSACTION) -> int:
    """Returns the number of archived calls. Skips calls that another transaction has locked."""
    try:
        with transactions.begin() as unit_of_work:
            return unit_of_work.archive_calls(now - ARCHIVE_AFTER, limit)
    except ConflictError:
        return 0
