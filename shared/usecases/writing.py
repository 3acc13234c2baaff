"""What one transaction writes, part by part: a part is on its way while the next is made."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from shared.domain.call import Call
from shared.usecases.draft import Draft
from shared.usecases.journal import Changes, EventRow, Ledger, Told
from shared.usecases.news import Announcement, News, announcement


class Writing:
    def __init__(self, ledger: Ledger, now: datetime, grace: timedelta) -> None:
        self._ledger, self._now, self._grace = ledger, now, grace
        self._last = Changes()  # what is written once, when all parts are known
        self._news: list[tuple[Call, Sequence[EventRow]]] = []
        self._transaction: int | None = None

    def add(self, drafts: Mapping[str, Draft], changes: Changes | None = None) -> None:
        """Have what the drafts have become written, beside the changes given."""
        changes = changes or Changes()
        for draft in drafts.values():
            draft.add_to(changes, self._now, self._grace)
            if (call := draft.call) and (rows := draft.told()):
                self._news.append((call, rows))
                self._last.told[call.id] = Told(call.queue_id, draft.left())
        self._last.effects += changes.effects
        if not changes.records and not changes.disarmed:
            return
        drawn = self._ledger.draw(len(changes.recorded))
        self._transaction = drawn.transaction
        for row, position in zip(changes.recorded, drawn.positions, strict=True):
            row.position = position
        self._ledger.send(changes, self._now)

    def commit(self) -> News:
        """What the floor must be told: put into words while the rest is written."""
        if self._transaction is None:
            return News()
        news: list[Announcement] = []
        agents = self._ledger.write(self._last, self._now, meanwhile=lambda: news.extend(self._announcements()))
        return News(news, agents, self._transaction)

    def _announcements(self) -> Iterator[Announcement]:
        for call, rows in self._news:
            left = self._last.told[call.id].left
            for row in rows:
                yield announcement(row, call, left)


def commit(
    ledger: Ledger, drafts: Mapping[str, Draft], now: datetime, grace: timedelta, changes: Changes | None = None
) -> News:
    """All in one part."""
    writing = Writing(ledger, now, grace)
    writing.add(drafts, changes)
    return writing.commit()


def load_logs(ledger: Ledger, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    logs = ledger.logs({draft.record.id for draft in drafts})
    for draft in drafts:
        if draft.log is None:
            draft.log = logs.get(draft.record.id, [])
