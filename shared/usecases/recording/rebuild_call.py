"""Fold calls anew from their events, and say where what is on record differs. Pure, but for the repair."""

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
UNTOLD = frozenset({"version"})  # counts what was told, which no fold of events knows


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a call, or an event's state, as it is on record and as its log has it."""

    call_id: str
    what: str
    recorded: object
    folded: object


def differences(record: CallRecord, log: Sequence[EventRow]) -> list[Difference]:
    """None where the log no longer has how the call began: its month was forgotten, and what is left says less."""
    if record.call and not any(isinstance(row.event.fact, Initiated) for row in log):
        return []
    living = [row for row in log if row.state is not EventState.DEAD]
    folded = fold([row.event for row in living])
    found = _of_calls(record.id, record.call, folded.call)
    for row in living:
        state = _state(folded.verdicts[row.event.id])
        if state is not row.state:
            found.append(Difference(record.id, f"event {row.event.id}", row.state.value, state.value))
    remembered = CallRecord(record.id)
    remembered.remember(living)
    for what in ("deferred", "void_until"):
        ours, theirs = getattr(record, what), getattr(remembered, what)
        if ours != theirs:
            found.append(Difference(record.id, what, ours, theirs))
    return found


def _of_calls(call_id: str, recorded: Call | None, folded: Call | None) -> list[Difference]:
    if recorded is None or folded is None:
        return [] if recorded is folded else [Difference(call_id, "call", bool(recorded), bool(folded))]
    names = (field.name for field in fields(Call) if field.name not in UNTOLD)
    # A call that somebody wrote by hand may lack what every other has.
    pairs = ((name, getattr(recorded, name, None), getattr(folded, name)) for name in names)
    return [Difference(call_id, name, ours, theirs) for name, ours, theirs in pairs if ours != theirs]


def repair(transactions: Transactions, call_id: str, now: datetime) -> bool:
    """Write what the log says over what is on record, under the call's lock; whether it differed still.

    Its version moves on, so that whoever holds the wrong picture takes the right one.
    """
    while True:
        try:
            return _attempt(transactions, call_id, now)
        except ConflictError:
            continue  # somebody is at this call: judge anew by what it left


def _attempt(transactions: Transactions, call_id: str, now: datetime) -> bool:
    with transactions.begin() as unit_of_work:
        record = unit_of_work.load([call_id], (), ()).records[call_id]
        log = unit_of_work.logs([call_id]).get(call_id, [])
        if not differences(record, log):
            return False
        living = [row for row in log if row.state is not EventState.DEAD]
        folded = fold([row.event for row in living])
        version = (record.call.version if record.call else 0) + 1
        record.call = folded.call and replace(folded.call, version=version)
        changed = [row for row in living if row.state is not _state(folded.verdicts[row.event.id])]
        for row in changed:
            row.state = _state(folded.verdicts[row.event.id])
        record.remember(living)
        unit_of_work.write(CallUpdates(records=[record], restated=changed), now)
        unit_of_work.commit(OutboxEntry(), now, meanwhile=lambda: None)
        return True


def _state(verdict: Verdict) -> EventState:
    return _FOLDED.get(verdict, EventState.DEFERRED)
