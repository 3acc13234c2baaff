"""What one transaction writes, and what it tells."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.usecases import tracing
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.notices import CallNotice, TransactionNotices, call_notices
from shared.usecases.recording.ports import CallUpdates, EventRow, OutboxCall, OutboxEntry, UnitOfWork


class TransactionWriter:
    """Postgres is at what was sent while the next is worked out. While it commits, what the floor must be told is put
    into words.
    """

    def __init__(
        self, unit_of_work: UnitOfWork, now: datetime, grace: timedelta, traces: Mapping[str, str] | None = None
    ) -> None:
        self._unit_of_work, self._now, self._grace = unit_of_work, now, grace
        self._told: list[tuple[CallChange, Sequence[EventRow]]] = []
        self._telling = OutboxEntry(traces=traces or {})
        self._transaction: int | None = None
        self._has_sent = False

    def send(self, changes: Iterable[CallChange], updates: CallUpdates | None = None) -> None:
        """What these have become, beside the changes given. A draft is sent once, when it is done."""
        changes, updates = list(changes), updates or CallUpdates()
        self._record_events([row for change in changes for row in change.recorded])
        for change in changes:
            change.add_updates(updates, self._now, self._grace)
            if (call := change.call) and (rows := change.told()):
                self._told.append((change, rows))
                self._telling.told[call.id] = OutboxCall(call.queue_id, change.left())
        if updates.records or updates.disarmed:
            self._unit_of_work.write(updates, self._now)
            self._has_sent = True

    def _record_events(self, rows: Sequence[EventRow]) -> None:
        drawn = self._unit_of_work.reserve_positions(len(rows))
        self._transaction = drawn.transaction
        for row, position in zip(rows, drawn.positions, strict=True):
            row.position = position
        if rows:
            self._unit_of_work.record(rows)

    def commit(self, meanwhile: Callable[[], None] = lambda: None) -> TransactionNotices:
        """All that was sent, with more to do while Postgres is at it. Raises `ConflictError`."""
        if not self._has_sent:
            meanwhile()
            return TransactionNotices()
        self._telling.traceparent = tracing.current()
        news: list[CallNotice] = []

        def put_into_words() -> None:
            news.extend(self._announcements())
            meanwhile()

        agents, moves = self._unit_of_work.commit(self._telling, self._now, put_into_words)
        return TransactionNotices(
            news, agents, self._transaction, self._telling.traceparent, self._telling.traces, moves=moves
        )

    def _announcements(self) -> Iterator[CallNotice]:
        for change, rows in self._told:
            if (call := change.call) and (call_view := change.call_view):
                yield from call_notices(rows, call, call_view, self._telling.told[call.id].left)


def commit(
    unit_of_work: UnitOfWork,
    changes: Mapping[str, CallChange],
    now: datetime,
    grace: timedelta,
    updates: CallUpdates | None = None,
) -> TransactionNotices:
    """Write all at once. Raises `ConflictError`."""
    writing = TransactionWriter(unit_of_work, now, grace)
    writing.send(changes.values(), updates)
    return writing.commit()


def load_logs(unit_of_work: UnitOfWork, changes: Sequence[CallChange]) -> None:
    if not changes:
        return
    logs = unit_of_work.logs({change.record.id for change in changes})
    for change in changes:
        if change.log is None:
            change.log = logs.get(change.record.id, [])
