"""Compares recorded calls with the fold of their events, and repairs them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from shared.domain.call import Call
from shared.domain.events import Initiated
from shared.domain.fold import fold
from shared.domain.legality import Verdict
from shared.usecases.errors import ConflictError
from shared.usecases.recording.ports import CallRecord, CallUpdates, EventRow, EventState, OutboxEntry, Transactions

_FOLDED = {Verdict.LEGAL: EventState.APPLIED, Verdict.VOID: EventState.VOID}
NOT_FOLDED = frozenset({"version"})  # counts published changes, not events


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between the record and the fold.

    what: a field of the call, or `event` and an id for the state of an event.
    """

    call_id: str
    what: str
    recorded: object
    folded: object


def differences(record: CallRecord, log: Sequence[EventRow]) -> list[Difference]:
    """Empty if the log no longer has the call's first event, because its month was deleted."""
    if record.call and not any(isinstance(row.event.fact, Initiated) for row in log):
        return []
    rows = [row for row in log if row.state is not EventState.DEAD]
    folded = fold([row.event for row in rows])
    result = _differences_of_calls(record.id, record.call, folded.call)
    for row in rows:
        state = _state(folded.verdicts[row.event.id])
        if state is not row.state:
            result.append(Difference(record.id, f"event {row.event.id}", row.state.value, state.value))
    summary = CallRecord(record.id)
    summary.summarize(rows)
    for what in ("deferred", "void_until"):
        ours, theirs = getattr(record, what), getattr(summary, what)
        if ours != theirs:
            result.append(Difference(record.id, what, ours, theirs))
    return result


def _differences_of_calls(call_id: str, recorded: Call | None, folded: Call | None) -> list[Difference]:
    if recorded is None or folded is None:
        return [] if recorded is folded else [Difference(call_id, "call", bool(recorded), bool(folded))]
    names = (field.name for field in fields(Call) if field.name not in NOT_FOLDED)
    # A call that was written by hand may lack fields.
    pairs = ((name, getattr(recorded, name, None), getattr(folded, name)) for name in names)
    return [Difference(call_id, name, ours, theirs) for name, ours, theirs in pairs if ours != theirs]


def repair(transactions: Transactions, call_id: str, now: datetime) -> bool:
    """Replace the record by the fold, if they still differ under the call's lock. Returns whether they differed.

    The version increases, so that clients replace their copy.
    """
    while True:
        try:
            return _attempt(transactions, call_id, now)
        except ConflictError:
            continue  # another transaction changed the call: begin again with its result


def _attempt(transactions: Transactions, call_id: str, now: datetime) -> bool:
    with transactions.begin() as unit_of_work:
        record = unit_of_work.load([call_id], (), ()).records[call_id]
        log = unit_of_work.logs([call_id]).get(call_id, [])
        if not differences(record, log):
            return False
        rows = [row for row in log if row.state is not EventState.DEAD]
        folded = fold([row.event for row in rows])
        version = (record.call.version if record.call else 0) + 1
        record.call = folded.call and replace(folded.call, version=version)
        changed = [row for row in rows if row.state is not _state(folded.verdicts[row.event.id])]
        for row in changed:
            row.state = _state(folded.verdicts[row.event.id])
        record.summarize(rows)
        unit_of_work.write(CallUpdates(records=[record], changed_events=changed), now)
        unit_of_work.commit(OutboxEntry(), now, during_commit=lambda: None)
        return True


def _state(verdict: Verdict) -> EventState:
    return _FOLDED.get(verdict, EventState.DEFERRED)
