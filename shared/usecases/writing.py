"""What one transaction writes, and what it tells."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.call import Call
from shared.usecases import trace
from shared.usecases.draft import Draft
from shared.usecases.journal import Changes, Drawn, EventRow, Ledger, Told
from shared.usecases.news import Announcement, News, announcement


def commit(
    ledger: Ledger, drafts: Mapping[str, Draft], now: datetime, grace: timedelta, changes: Changes | None = None
) -> News:
    """Write what the drafts have become beside the changes given. While Postgres writes the events, what follows from
    them is worked out; while it writes that, what the floor must be told is put into words."""
    changes = changes or Changes()
    drawn = _record_events(ledger, [row for draft in drafts.values() for row in draft.recorded])
    told: list[tuple[Call, Sequence[EventRow]]] = []
    for draft in drafts.values():
        draft.add_to(changes, now, grace)
        if (call := draft.call) and (rows := draft.told()):
            told.append((call, rows))
            changes.told[call.id] = Told(call.queue_id, draft.left())
    if not changes.records and not changes.disarmed:
        return News()
    changes.traceparent = trace.current()
    news: list[Announcement] = []
    agents = ledger.write(changes, now, meanwhile=lambda: news.extend(_announcements(told, changes.told)))
    return News(news, agents, drawn.transaction, changes.traceparent, changes.traces)


def _record_events(ledger: Ledger, rows: Sequence[EventRow]) -> Drawn:
    drawn = ledger.draw(len(rows))
    for row, position in zip(rows, drawn.positions, strict=True):
        row.position = position
    if rows:
        ledger.record(rows)
    return drawn


def _announcements(
    told: Sequence[tuple[Call, Sequence[EventRow]]], of_calls: Mapping[str, Told]
) -> Iterator[Announcement]:
    for call, rows in told:
        for row in rows:
            yield announcement(row, call, of_calls[call.id].left)


def load_logs(ledger: Ledger, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    logs = ledger.logs({draft.record.id for draft in drafts})
    for draft in drafts:
        if draft.log is None:
            draft.log = logs.get(draft.record.id, [])
