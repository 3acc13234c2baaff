"""A minute of sweeping: a loop that sleeps until the next promise falls due, a second at most."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.usecases.errors import UnavailableError, continue_after_failure
from shared.usecases.sweep.archive_calls import A_TRANSACTION, shelve
from shared.usecases.sweep.fire_due_timers import Sweeper, offer_waiting_calls, sweep_timers
from shared.usecases.sweep.update_agent_time import A_TURN, TimeBook, keep_time

LONGEST_SLEEP = timedelta(seconds=1)
TIDY_EVERY = timedelta(seconds=10)
A_TURN_EVERY = timedelta(seconds=0.1)  # of many at agents' time: nobody waits for it, and all need the machine


class Housekeeping(Protocol):
    """What the sweep does beside the timers. Each raises `UnavailableError` while Postgres is away."""

    @property
    def book(self) -> TimeBook: ...

    def next_due(self, after: datetime) -> datetime | None: ...

    def republish(self, now: datetime) -> int:
        """Publish again what the relay has not cleared in time; how many."""
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
    sweeper: Sweeper, upkeep: Housekeeping, until: datetime, now: Callable[[], datetime], sleep: Callable[[float], None]
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
            with continue_after_failure(sweeper.failed):
                shelved = shelve(sweeper.transactions, moment)
            with continue_after_failure(sweeper.failed):
                followed = keep_time(upkeep.book)
            tally.shelved, tally.followed = tally.shelved + shelved, tally.followed + followed
            if moment - tidied > TIDY_EVERY:
                tidied = moment
                with continue_after_failure(sweeper.failed):
                    upkeep.tidy(moment)
            due_at = moment if shelved == A_TRANSACTION else upkeep.next_due(moment)
            if followed >= A_TURN:
                due_at = min(due_at or until, now() + A_TURN_EVERY)
        except UnavailableError:
            tally.outages += 1
            due_at = None
        wake_at = min(due_at or until, moment + LONGEST_SLEEP, until)
        sleep((wake_at - now()).total_seconds())
    with suppress(UnavailableError):  # the schedule starts the next one, too
        upkeep.resign(now())
    return tally


def _round(sweeper: Sweeper, upkeep: Housekeeping, now: Callable[[], datetime], until: datetime, tally: Tally) -> None:
    """Turn about, so that a flood of timers keeps no caller waiting whom somebody is free to take.

    No longer than until then: under a steady load there is always one more, and the other duties have their time too.
    """
    busy = True
    while busy and now() < until:
        settled, offered = sweep_timers(sweeper, now()), offer_waiting_calls(sweeper, now())
        tally.timers += settled
        tally.offers += offered
        busy = settled + offered > 0
    with continue_after_failure(sweeper.failed):
        tally.republished += upkeep.republish(now())
