"""Writes the changes of one transaction, and makes its notices."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.usecases import tracing
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.notices import CallNotice, TransactionNotices, call_notices
from shared.usecases.recording.ports import CallUpdates, EventRow, OutboxCall, OutboxEntry, UnitOfWork


class TransactionWriter:
    """Sends the changes of some calls at a time, so that Postgres works while Python judges the next events.

    `grace` is the time for which a deferred event waits. `traces` holds the traceparents of events that were sent with
    their own, by event id.
    """

    def __init__(
        self, unit_of_work: UnitOfWork, now: datetime, grace: timedelta, traces: Mapping[str, str] | None = None
    ) -> None:
        self._unit_of_work, self._now, self._grace = unit_of_work, now, grace
        self._published: list[tuple[CallChange, Sequence[EventRow]]] = []
        self._entry = OutboxEntry(traces=traces or {})
        self._transaction: int | None = None
        self._has_written = False

    def send(self, changes: Iterable[CallChange], updates: CallUpdates | None = None) -> None:
        """Write these calls, and `updates` besides. Each call is sent once, after its last event."""
        changes, updates = list(changes), updates or CallUpdates()
        self._record_events([row for change in changes for row in change.recorded])
        for change in changes:
            change.add_updates(updates, self._now, self._grace)
            if (call := change.call) and (rows := change.published_rows()):
                self._published.append((change, rows))
                self._entry.calls[call.id] = OutboxCall(call.queue_id, change.departure())
        if updates.records or updates.disarmed:
            self._unit_of_work.write(updates, self._now)
            self._has_written = True

    def _record_events(self, rows: Sequence[EventRow]) -> None:
        reserved = self._unit_of_work.reserve_positions(len(rows))
        self._transaction = reserved.transaction
        for row, position in zip(rows, reserved.positions, strict=True):
            row.position = position
        if rows:
            self._unit_of_work.record(rows)

    def commit(self) -> TransactionNotices:
        """Commit, and return the notices. Raises `ConflictError`."""
        if not self._has_written:
            return TransactionNotices()
        self._entry.traceparent = tracing.current()
        notices: list[CallNotice] = []

        def make_notices() -> None:
            for change, rows in self._published:
                if (call := change.call) and (call_view := change.call_view):
                    notices.extend(call_notices(rows, call, call_view, self._entry.calls[call.id].departure))

        agents, moves = self._unit_of_work.commit(self._entry, self._now, during_commit=make_notices)
        return TransactionNotices(
            notices, agents, self._transaction, self._entry.traceparent, self._entry.traces, moves=moves
        )


def commit(
    unit_of_work: UnitOfWork,
    changes: Mapping[str, CallChange],
    now: datetime,
    grace: timedelta,
    updates: CallUpdates | None = None,
) -> TransactionNotices:
    """Write and commit all at once. Raises `ConflictError`."""
    writer = TransactionWriter(unit_of_work, now, grace)
    writer.send(changes.values(), updates)
    return writer.commit()


def load_logs(unit_of_work: UnitOfWork, changes: Sequence[CallChange]) -> None:
    """Read the logs of these calls, except those that were read before."""
    if not changes:
        return
    logs = unit_of_work.logs({change.record.id for change in changes})
    for change in changes:
        if change.log is None:
            change.log = logs.get(change.record.id, [])
