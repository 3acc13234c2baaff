"""What one transaction writes, and what it tells."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.call import Call
from shared.usecases import tracing
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.notices import Announcement, News, announcements
from shared.usecases.recording.ports import Changes, EventRow, Telling, Told, UnitOfWork


class TransactionWriter:
    """Postgres is at what was sent while the next is worked out. While it commits, what the floor must be told is put
    into words.
    """

    def __init__(
        self, unit_of_work: UnitOfWork, now: datetime, grace: timedelta, traces: Mapping[str, str] | None = None
    ) -> None:
        self._unit_of_work, self._now, self._grace = unit_of_work, now, grace
        self._told: list[tuple[Call, Sequence[EventRow]]] = []
        self._telling = Telling(traces=traces or {})
        self._transaction: int | None = None
        self._has_sent = False

    def send(self, drafts: Iterable[CallChange], changes: Changes | None = None) -> None:
        """What these have become, beside the changes given. A draft is sent once, when it is done."""
        drafts, changes = list(drafts), changes or Changes()
        self._record_events([row for draft in drafts for row in draft.recorded])
        for draft in drafts:
            draft.add_to(changes, self._now, self._grace)
            if (call := draft.call) and (rows := draft.told()):
                self._told.append((call, rows))
                self._telling.told[call.id] = Told(call.queue_id, draft.left())
        if changes.records or changes.disarmed:
            self._unit_of_work.write(changes, self._now)
            self._has_sent = True

    def _record_events(self, rows: Sequence[EventRow]) -> None:
        drawn = self._unit_of_work.draw(len(rows))
        self._transaction = drawn.transaction
        for row, position in zip(rows, drawn.positions, strict=True):
            row.position = position
        if rows:
            self._unit_of_work.record(rows)

    def commit(self, meanwhile: Callable[[], None] = lambda: None) -> News:
        """All that was sent, with more to do while Postgres is at it. Raises `ConflictError`."""
        if not self._has_sent:
            meanwhile()
            return News()
        self._telling.traceparent = tracing.current()
        news: list[Announcement] = []

        def put_into_words() -> None:
            news.extend(self._announcements())
            meanwhile()

        agents, moves = self._unit_of_work.commit(self._telling, self._now, put_into_words)
        return News(news, agents, self._transaction, self._telling.traceparent, self._telling.traces, moves=moves)

    def _announcements(self) -> Iterator[Announcement]:
        for call, rows in self._told:
            yield from announcements(rows, call, self._telling.told[call.id].left)


def commit(
    unit_of_work: UnitOfWork,
    drafts: Mapping[str, CallChange],
    now: datetime,
    grace: timedelta,
    changes: Changes | None = None,
) -> News:
    """Write all at once. Raises `ConflictError`."""
    writing = TransactionWriter(unit_of_work, now, grace)
    writing.send(drafts.values(), changes)
    return writing.commit()


def load_logs(unit_of_work: UnitOfWork, drafts: Sequence[CallChange]) -> None:
    if not drafts:
        return
    logs = unit_of_work.logs({draft.record.id for draft in drafts})
    for draft in drafts:
        if draft.log is None:
            draft.log = logs.get(draft.record.id, [])
