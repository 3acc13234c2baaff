"""What one transaction writes, and what it tells."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.call import Call
from shared.usecases import trace
from shared.usecases.draft import Draft
from shared.usecases.journal import Changes, EventRow, Ledger, Telling, Told
from shared.usecases.news import Announcement, News, announcements


class Writing:
    """Postgres is at what was sent while the next is worked out. While it commits, what the floor must be told is put
    into words.
    """

    def __init__(
        self, ledger: Ledger, now: datetime, grace: timedelta, traces: Mapping[str, str] | None = None
    ) -> None:
        self._ledger, self._now, self._grace = ledger, now, grace
        self._told: list[tuple[Call, Sequence[EventRow]]] = []
        self._telling = Telling(traces=traces or {})
        self._transaction: int | None = None
        self._has_sent = False

    def send(self, drafts: Iterable[Draft], changes: Changes | None = None) -> None:
        """What these have become, beside the changes given. A draft is sent once, when it is done."""
        drafts, changes = list(drafts), changes or Changes()
        self._record_events([row for draft in drafts for row in draft.recorded])
        for draft in drafts:
            draft.add_to(changes, self._now, self._grace)
            if (call := draft.call) and (rows := draft.told()):
                self._told.append((call, rows))
                self._telling.told[call.id] = Told(call.queue_id, draft.left())
        if changes.records or changes.disarmed:
            self._ledger.write(changes, self._now)
            self._has_sent = True

    def _record_events(self, rows: Sequence[EventRow]) -> None:
        drawn = self._ledger.draw(len(rows))
        self._transaction = drawn.transaction
        for row, position in zip(rows, drawn.positions, strict=True):
            row.position = position
        if rows:
            self._ledger.record(rows)

    def commit(self, meanwhile: Callable[[], None] = lambda: None) -> News:
        """All that was sent, with more to do while Postgres is at it. Raises `ConflictError`."""
        if not self._has_sent:
            meanwhile()
            return News()
        self._telling.traceparent = trace.current()
        news: list[Announcement] = []

        def put_into_words() -> None:
            news.extend(self._announcements())
            meanwhile()

        agents, moves = self._ledger.commit(self._telling, self._now, put_into_words)
        return News(news, agents, self._transaction, self._telling.traceparent, self._telling.traces, moves=moves)

    def _announcements(self) -> Iterator[Announcement]:
        for call, rows in self._told:
            yield from announcements(rows, call, self._telling.told[call.id].left)


def commit(
    ledger: Ledger, drafts: Mapping[str, Draft], now: datetime, grace: timedelta, changes: Changes | None = None
) -> News:
    """Write all at once. Raises `ConflictError`."""
    writing = Writing(ledger, now, grace)
    writing.send(drafts.values(), changes)
    return writing.commit()


def load_logs(ledger: Ledger, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    logs = ledger.logs({draft.record.id for draft in drafts})
    for draft in drafts:
        if draft.log is None:
            draft.log = logs.get(draft.record.id, [])
