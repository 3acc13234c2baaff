"""Tries dead letters again: events by the same rules as any event, notices through the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.contracts.dead_letters import MAX_IDS, Kind, Redrive
from shared.contracts.problems import problem
from shared.usecases.errors import ConflictError, UnavailableError
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result, item_of, result_of
from shared.usecases.recording.ports import EventRow, EventState
from shared.usecases.recording.record_events import MAX_ATTEMPTS, Applied, Deferred, Illegal, Outcome, status_at
from shared.usecases.recording.submit_events import IngestServices
from shared.usecases.recording.transaction_writer import commit, load_logs

EVENTS_PER_TRANSACTION = 50


@dataclass(frozen=True, slots=True)
class Letter:
    kind: Kind
    id: str
    call_id: str | None  # None if the notice concerns agents only


class DeadLetters(Protocol):
    """Dead events and dead outbox rows. Each method raises `UnavailableError`."""

    def named(self, ids: Sequence[str]) -> list[Letter]: ...

    def oldest(self, before: datetime, limit: int) -> list[Letter]: ...

    def count(self, before: datetime) -> int: ...

    def requeue(self, ids: Sequence[str], now: datetime) -> set[str]:
        """Publish these notices again now. Returns the ids of those that were dead."""
        ...


def redrive(
    services: IngestServices, dead_letters: DeadLetters, wanted: Redrive, now: datetime
) -> tuple[dict[str, Any], list[TransactionNotices]]:
    """Try the wanted dead letters again. Returns the answer with an outcome for each, and the notices of the
    transactions. `remaining` in the answer counts the dead letters that were not tried.
    """
    letters = dead_letters.oldest(now, MAX_IDS) if wanted.ids is None else dead_letters.named(wanted.ids)
    results = {letter: _unknown(letter.id) for letter in letters}
    events = [letter for letter in letters if letter.kind == "event"]
    notices: list[TransactionNotices] = []
    for start in range(0, len(events), EVENTS_PER_TRANSACTION):
        retried, transaction = _retry(services, events[start : start + EVENTS_PER_TRANSACTION], now)
        results |= retried
        notices.append(transaction)
    unpublished = [letter for letter in letters if letter.kind == "announcement"]
    requeued = dead_letters.requeue([letter.id for letter in unpublished], now) if unpublished else set[str]()
    results |= {letter: _requeued(letter) for letter in unpublished if letter.id in requeued}
    missing = dict.fromkeys(wanted.ids or ()).keys() - {letter.id for letter in letters}
    items = [{"id": letter.id, "kind": letter.kind, **item_of(result)} for letter, result in results.items()]
    items += [{"id": letter_id, "kind": None, **item_of(_unknown(letter_id))} for letter_id in sorted(missing)]
    return {"results": items, "remaining": dead_letters.count(now)}, notices


def _retry(
    services: IngestServices, letters: Sequence[Letter], now: datetime
) -> tuple[dict[Letter, Result], TransactionNotices]:
    for _ in range(MAX_ATTEMPTS):
        try:
            return _attempt(services, letters, now)
        except ConflictError:
            continue  # another transaction changed the same calls: begin again with its result
    raise UnavailableError("Too many writers at the same calls.")


def _attempt(
    services: IngestServices, letters: Sequence[Letter], now: datetime
) -> tuple[dict[Letter, Result], TransactionNotices]:
    with services.transactions.begin() as unit_of_work:
        records = unit_of_work.load(sorted({letter.call_id for letter in letters if letter.call_id}), (), ()).records
        changes = {call_id: CallChange(record) for call_id, record in records.items()}
        load_logs(unit_of_work, list(changes.values()))
        rows = {
            letter: changes[letter.call_id].retry_dead_event(letter.id, now) for letter in letters if letter.call_id
        }
        results = {letter: _result(changes[row.event.call_id], row) for letter, row in rows.items() if row}
        notices = commit(unit_of_work, changes, now, services.grace)
    return results, notices


def _result(change: CallChange, row: EventRow) -> Result:
    return result_of(_outcome(change, row), change.call_view)


def _outcome(change: CallChange, row: EventRow) -> Outcome:
    """The outcome after all letters of the transaction: a later one may be the predecessor of this one."""
    if row.state is EventState.APPLIED and change.call:
        return Applied(row.event.id, change.record.id)
    if row.state is EventState.DEFERRED:
        return Deferred(row.event.id, change.record.id)
    status = status_at(change, row.event)
    row.reason = f"Not possible: the call is {status} at that time."
    return Illegal(row.event, status)


def _requeued(letter: Letter) -> Result:
    return Result(202, {"eventId": letter.id, "callId": letter.call_id, "outcome": "requeued"})


def _unknown(letter_id: str) -> Result:
    return Result(404, problem(404, f"There is no dead letter {letter_id}.", ("ids", f"{letter_id} is no dead letter")))
