"""A journal in memory for tests of the recording rules. It keeps calls and events, and ignores timers and agents."""
# ruff: noqa: ARG002 - the port decides on the parameters

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.events import Limits
from shared.usecases.recording.ports import (
    MIN_TIME,
    CallRecord,
    CallUpdates,
    EventRow,
    KnownEvent,
    LoadedCalls,
    LogPositions,
    MovedAgents,
)

# What Postgres stores of an event is fixed when it is recorded, except these columns.
RESTATED = ("event", "state", "version", "reason", "failed_at", "redriven_at", "attempts")


class MemoryTransactions:
    """The records by call id, and all events by call id in the order in which they were recorded."""

    def __init__(self, queues: Mapping[str, Limits]) -> None:
        self.queues = queues
        self.records: dict[str, CallRecord] = {}
        self.events: dict[str, list[EventRow]] = {}
        self.logs_read = 0
        self._positions = 0

    @contextmanager
    def begin(self) -> Generator[Any]:
        yield self

    def load(
        self,
        call_ids: Collection[str],
        event_ids: Collection[str],
        queue_ids: Collection[str],
        events: int = 0,
        since: datetime = MIN_TIME,
    ) -> LoadedCalls:
        rows = [row for rows in self.events.values() for row in rows if row.event.id in set(event_ids)]
        return LoadedCalls(
            {call_id: replace(self.records.get(call_id, CallRecord(call_id))) for call_id in call_ids},
            {row.event.id: KnownEvent(row.event.call_id, row.fingerprint) for row in rows},
            {queue_id: self.queues[queue_id] for queue_id in queue_ids if queue_id in self.queues},
        )

    def logs(self, call_ids: Collection[str]) -> Mapping[str, list[EventRow]]:
        self.logs_read += 1
        return {call_id: [replace(row) for row in self.events.get(call_id, [])] for call_id in call_ids}

    def reserve_positions(self, events: int) -> LogPositions:
        begin, self._positions = self._positions, self._positions + events
        return LogPositions(0, range(begin, self._positions))

    def record(self, rows: Sequence[EventRow]) -> None:
        for row in rows:
            self.events.setdefault(row.event.call_id, []).append(replace(row))

    def write(self, updates: CallUpdates, now: datetime) -> None:
        for record in updates.records:
            self.records[record.id] = replace(record, exists=True)
        for changed in updates.changed_events:
            row = next(row for row in self.events[changed.event.call_id] if row.event.id == changed.event.id)
            for name in RESTATED:
                setattr(row, name, getattr(changed, name))

    def commit(self, outbox_entry: object, now: datetime, meanwhile: Callable[[], None]) -> MovedAgents:
        meanwhile()
        return MovedAgents([], [])

    def kept(self) -> object:
        """All that is on record, to be compared with another journal's."""
        rows = {call_id: [replace(row, position=None) for row in kept] for call_id, kept in self.events.items()}
        return self.records, rows
