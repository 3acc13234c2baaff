"""Offers waiting calls to free agents."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

from shared.usecases.errors import ConflictError, continue_after_failure
from shared.usecases.recording.ports import UnitOfWork
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.sweep_transaction import NOTHING, SweepResult, SweepTransaction, run_together, total


def record_offers(
    services: SweepServices, now: datetime, queue_ids: Collection[str] | None = None, limit: int = 10
) -> SweepResult:
    """Offer at most `limit` waiting calls of these queues, or of all queues.

    If a call fails unexpectedly, the others are offered.
    """
    offered = run_together(
        lambda: _offer(services, now, lambda unit_of_work: unit_of_work.waiting_calls(now, queue_ids, limit))
    )
    if offered:
        return offered
    with services.transactions.begin() as unit_of_work:
        waiting = unit_of_work.waiting_calls(now, queue_ids, limit)
    return total([_offer_alone(services, now, call_id) for call_id in waiting])


def _offer(services: SweepServices, now: datetime, find_waiting: Callable[[UnitOfWork], Sequence[str]]) -> SweepResult:
    """Raises `ConflictError` if another transaction changed one of the calls."""
    with services.transactions.begin() as unit_of_work:
        waiting = find_waiting(unit_of_work)
        return SweepTransaction(services, unit_of_work, now).offer(waiting) if waiting else NOTHING


def _offer_alone(services: SweepServices, now: datetime, call_id: str) -> SweepResult:
    with continue_after_failure(services.log_failure, call_id), suppress(ConflictError):
        return _offer(services, now, lambda _: [call_id])
    return NOTHING
