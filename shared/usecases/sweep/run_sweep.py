"""The sweep: a loop that sleeps until the next timer is due, at most a second."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.usecases.errors import UnavailableError, continue_after_failure
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.sweep.after_commit import publish, wake_idle_relays
from shared.usecases.sweep.archive_calls import CALLS_PER_TRANSACTION, archive_calls
from shared.usecases.sweep.fire_due_timers import fire_due_timers
from shared.usecases.sweep.record_offers import record_offers
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.update_agent_time import EVENTS_PER_BATCH, AgentTimeStore, update_agent_time

MAX_SLEEP = timedelta(seconds=1)
CLEANUP_INTERVAL = timedelta(seconds=10)
MIN_BATCH_INTERVAL = timedelta(seconds=0.1)  # between batches of agent time, to leave the processor to others


class Housekeeping(Protocol):
    """The periodic work beside the timers. Each method raises `UnavailableError` during an outage of Postgres."""

    @property
    def agent_time_store(self) -> AgentTimeStore: ...

    def next_due(self, after: datetime) -> datetime | None:
        """When the next timer is due."""
        ...

    def take_overdue(self, now: datetime) -> Sequence[TransactionNotices]:
        """Return the notices that no relay has cleared from the outbox in time, and postpone their next attempt."""
        ...

    def tidy(self, now: datetime) -> None:
        """Delete expired connections and expired months. Create the partitions that the log needs next."""
        ...

    def beat(self, now: datetime) -> None:
        """Renew the heartbeat of this sweep."""
        ...

    def resign(self, now: datetime) -> None:
        """End this sweep, and start another if none is alive."""
        ...


@dataclass(slots=True)
class Tally:
    """Counts of one sweep. `agent_time_events` were processed for agent time; `outages` are of Postgres."""

    timers: int = 0
    archived: int = 0
    agent_time_events: int = 0
    offers: int = 0
    republished: int = 0
    outages: int = 0


def run_sweep(
    services: SweepServices,
    housekeeping: Housekeeping,
    until: datetime,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Tally:
    """Sweep until this time. Waits during an outage of Postgres. If one task fails unexpectedly, the failure is logged
    and the others continue.
    """
    tally = Tally()
    cleaned_at = now()
    while (moment := now()) < until:
        try:
            housekeeping.beat(moment)
            _round(services, housekeeping, now, min(moment + MAX_SLEEP, until), tally)
            archived = events = 0
            with continue_after_failure(services.log_failure):
                archived = archive_calls(services.transactions, moment)
            with continue_after_failure(services.log_failure):
                events = update_agent_time(housekeeping.agent_time_store)
            tally.archived += archived
            tally.agent_time_events += events
            if moment - cleaned_at > CLEANUP_INTERVAL:
                cleaned_at = moment
                with continue_after_failure(services.log_failure):
                    housekeeping.tidy(moment)
            due_at = moment if archived == CALLS_PER_TRANSACTION else housekeeping.next_due(moment)
            if events >= EVENTS_PER_BATCH:
                due_at = min(due_at or until, now() + MIN_BATCH_INTERVAL)
        except UnavailableError:
            tally.outages += 1
            due_at = None
        wake_at = min(due_at or until, moment + MAX_SLEEP, until)
        sleep((wake_at - now()).total_seconds())
    with suppress(UnavailableError):  # the schedule also starts the next sweep
        housekeeping.resign(now())
    return tally


def _round(
    services: SweepServices, housekeeping: Housekeeping, now: Callable[[], datetime], until: datetime, tally: Tally
) -> None:
    """Fire timers and offer calls in turn until neither is left, or until this time. Then publish overdue notices."""
    busy = True
    while busy and now() < until:
        fired = fire_due_timers(services, now())
        publish(services, fired.notices)
        offered = record_offers(services, now())
        publish(services, offered.notices)
        wake_idle_relays(services, now())
        tally.timers += fired.count
        tally.offers += offered.count
        busy = fired.count + offered.count > 0
    with continue_after_failure(services.log_failure):
        overdue = housekeeping.take_overdue(now())
        services.publisher.publish(overdue)  # the function that recorded these events has logged them
        wake_idle_relays(services, now())
        tally.republished += len(overdue)
