"""A minute of sweeping: a loop that sleeps until the next promise falls due, a second at most."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.usecases.errors import UnavailableError, continue_after_failure
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.sweep.after_commit import publish, wake_idle_relays
from shared.usecases.sweep.archive_calls import A_TRANSACTION, archive_calls
from shared.usecases.sweep.fire_due_timers import fire_due_timers, record_offers
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.update_agent_time import EVENTS_PER_BATCH, AgentTimeStore, update_agent_time

LONGEST_SLEEP = timedelta(seconds=1)
TIDY_EVERY = timedelta(seconds=10)
A_TURN_EVERY = timedelta(seconds=0.1)  # of many at agents' time: nobody waits for it, and all need the machine


class Housekeeping(Protocol):
    """What the sweep does beside the timers. Each raises `UnavailableError` while Postgres is away."""

    @property
    def agent_time_store(self) -> AgentTimeStore: ...

    def next_due(self, after: datetime) -> datetime | None: ...

    def take_overdue(self, now: datetime) -> Sequence[TransactionNotices]:
        """Return the outbox entries that the relays have not cleared in time, and postpone their next attempt."""
        ...

    def tidy(self, now: datetime) -> None:
        """Forget expired connections and a month that is kept no longer; make those that the log will need."""
        ...

    def beat(self, now: datetime) -> None: ...

    def resign(self, now: datetime) -> None:
        """End, and wake a successor where no other sweep is alive."""
        ...


@dataclass(slots=True)
class Tally:
    timers: int = 0
    shelved: int = 0
    followed: int = 0
    offers: int = 0
    republished: int = 0
    outages: int = 0


def run_sweep(
    sweeper: SweepServices,
    upkeep: Housekeeping,
    until: datetime,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Tally:
    """Sweep until the time given. An outage of Postgres is waited out: the promises are still there after it.

    If one duty fails unexpectedly, its failure is logged and the others continue.
    """
    tally = Tally()
    tidied = now()
    while (moment := now()) < until:
        try:
            upkeep.beat(moment)
            _round(sweeper, upkeep, now, min(moment + LONGEST_SLEEP, until), tally)
            shelved = followed = 0
            with continue_after_failure(sweeper.log_failure):
                shelved = archive_calls(sweeper.transactions, moment)
            with continue_after_failure(sweeper.log_failure):
                followed = update_agent_time(upkeep.agent_time_store)
            tally.shelved, tally.followed = tally.shelved + shelved, tally.followed + followed
            if moment - tidied > TIDY_EVERY:
                tidied = moment
                with continue_after_failure(sweeper.log_failure):
                    upkeep.tidy(moment)
            due_at = moment if shelved == A_TRANSACTION else upkeep.next_due(moment)
            if followed >= EVENTS_PER_BATCH:
                due_at = min(due_at or until, now() + A_TURN_EVERY)
        except UnavailableError:
            tally.outages += 1
            due_at = None
        wake_at = min(due_at or until, moment + LONGEST_SLEEP, until)
        sleep((wake_at - now()).total_seconds())
    with suppress(UnavailableError):  # the schedule starts the next one, too
        upkeep.resign(now())
    return tally


def _round(
    sweeper: SweepServices, upkeep: Housekeeping, now: Callable[[], datetime], until: datetime, tally: Tally
) -> None:
    """Turn about, so that a flood of timers keeps no caller waiting whom somebody is free to take.

    No longer than until then: under a steady load there is always one more, and the other duties have their time too.
    """
    busy = True
    while busy and now() < until:
        fired = fire_due_timers(sweeper, now())
        publish(sweeper, fired.notices)
        offered = record_offers(sweeper, now())
        publish(sweeper, offered.notices)
        wake_idle_relays(sweeper, now())
        tally.timers += fired.count
        tally.offers += offered.count
        busy = fired.count + offered.count > 0
    with continue_after_failure(sweeper.log_failure):
        overdue = upkeep.take_overdue(now())
        sweeper.publisher.publish(overdue)  # the function that recorded these events has logged them
        wake_idle_relays(sweeper, now())
        tally.republished += len(overdue)
