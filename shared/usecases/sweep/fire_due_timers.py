"""Fires the timers that are due: records missed deadlines, re-routes missed calls, and expires deferred events."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from shared.domain.deadlines import TimerKind
from shared.usecases.errors import ConflictError, continue_after_failure
from shared.usecases.recording.ports import CallUpdates, OutboxEntry, UnitOfWork
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.sweep_transaction import NOTHING, SweepResult, SweepTransaction, run_together, total

RETRY_AFTER = timedelta(minutes=1)  # for the timers of a call that failed unexpectedly


def fire_due_timers(services: SweepServices, now: datetime, limit: int = 200) -> SweepResult:
    """Fire at most `limit` timers of each kind. Any number of sweeps may run at once.

    If a call fails unexpectedly, its timers are due again after `RETRY_AFTER`, and the timers of other calls fire.
    """
    fired = run_together(lambda: _fire(services, now, lambda unit_of_work: unit_of_work.due_timers(now, limit)))
    if fired:
        return fired
    with services.transactions.begin() as unit_of_work:
        due = unit_of_work.due_timers(now, limit)
    return total([_fire_alone(services, now, call_id, kinds) for call_id, kinds in due.items()])


def _fire(
    services: SweepServices, now: datetime, find_due: Callable[[UnitOfWork], Mapping[str, set[TimerKind]]]
) -> SweepResult:
    """Raises `ConflictError` if another transaction changed one of the calls."""
    with services.transactions.begin() as unit_of_work:
        due = find_due(unit_of_work)
        if not due:
            return NOTHING
        notices = SweepTransaction(services, unit_of_work, now).fire(due)
    return SweepResult(sum(len(kinds) for kinds in due.values()), [notices])


def _fire_alone(services: SweepServices, now: datetime, call_id: str, kinds: set[TimerKind]) -> SweepResult:
    with continue_after_failure(services.log_failure, call_id):
        try:
            return _fire(services, now, lambda _: {call_id: kinds})
        except ConflictError:
            return NOTHING  # the next round sees the other transaction's result
    _postpone(services, now, call_id, kinds)
    return NOTHING


def _postpone(services: SweepServices, now: datetime, call_id: str, kinds: set[TimerKind]) -> None:
    """If the call no longer requires the timer then, it is deleted when it is due."""
    later = CallUpdates(armed={(call_id, kind): now + RETRY_AFTER for kind in kinds})
    with suppress(ConflictError), services.transactions.begin() as unit_of_work:
        unit_of_work.write(later, now)
        unit_of_work.commit(OutboxEntry(), now, during_commit=lambda: None)
