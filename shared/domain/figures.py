"""The figures of a call centre: counts of calls, and formulas over the counts.

A call counts in the interval of its start, for the queue, language and agent that it has now. Waits and times are whole
milliseconds, so that sums do not depend on the order. A formula whose denominator is 0 returns None.
"""

from dataclasses import fields
from typing import Self

from shared.domain.fast import fast_frozen


@fast_frozen
class Tally:
    """The counts of some calls. All fields add up, except the longest wait. `_ms` are milliseconds."""

    offered: int = 0  # reached a queue
    answered: int = 0
    answered_in_time: int = 0  # within the queue's limit, so not flagged sla_breached
    abandoned: int = 0  # the caller left before an answer
    short_abandons: int = 0  # of these, within the queue's limit
    failed: int = 0  # ended unanswered by a failure
    sla_breached: int = 0
    waited: int = 0  # calls whose wait is over
    wait_ms: int = 0
    answered_wait_ms: int = 0
    longest_wait_ms: int = 0
    handled: int = 0  # answered and ended
    talk_ms: int = 0
    hold_ms: int = 0
    misses: int = 0  # missed offers (redirections on no answer)
    missed: int = 0  # calls with at least one missed offer
    transfers: int = 0
    transferred: int = 0
    holds: int = 0
    held: int = 0
    hold_exceeded: int = 0  # calls with a hold beyond the queue's limit
    hold_excess_ms: int = 0
    short_calls: int = 0

    def __add__(self, other: Self) -> Self:
        sums = {name: getattr(self, name) + getattr(other, name) for name in COUNTED}
        sums["longest_wait_ms"] = max(self.longest_wait_ms, other.longest_wait_ms)
        return type(self)(**sums)


COUNTED = tuple(field.name for field in fields(Tally))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean_seconds(total_ms: int, count: int) -> float | None:
    return total_ms / count / 1000 if count else None


def level_of_answered(tally: Tally) -> float | None:
    """Answered in time / answered. Genesys Cloud, *Configure the service level calculation*, with abandons left out."""
    return _share(tally.answered_in_time, tally.answered)


def level_of_offered(tally: Tally) -> float | None:
    """Answered in time / (answered + abandoned). Cisco Unified CCE, *abandoned calls have negative impact*."""
    return _share(tally.answered_in_time, tally.answered + tally.abandoned)


def level_without_short_abandons(tally: Tally) -> float | None:
    """Answered in time / (answered + abandoned - short abandons). Cisco Unified CCE, *abandoned calls ignored*."""
    return _share(tally.answered_in_time, tally.answered + tally.abandoned - tally.short_abandons)


def level_with_abandons_in_time(tally: Tally) -> float | None:
    """(Answered in time + short abandons) / (answered + abandoned). Cisco Unified CCE, *positive impact*."""
    return _share(tally.answered_in_time + tally.short_abandons, tally.answered + tally.abandoned)


def abandon_rate(tally: Tally) -> float | None:
    """Abandoned / (answered + abandoned). Gans, Koole and Mandelbaum, M&SOM 5 (2003), section 2."""
    return _share(tally.abandoned, tally.answered + tally.abandoned)


def asa_seconds(tally: Tally) -> float | None:
    """Average speed of answer: the mean wait of answered calls. Gans, Koole and Mandelbaum (2003)."""
    return _mean_seconds(tally.answered_wait_ms, tally.answered)


def mean_wait_seconds(tally: Tally) -> float | None:
    """The mean wait of all calls, abandoned ones included: E[W], while ASA is E[W | served]. The same authors."""
    return _mean_seconds(tally.wait_ms, tally.waited)


def talk_seconds(tally: Tally) -> float | None:
    return _mean_seconds(tally.talk_ms, tally.handled)


def hold_seconds(tally: Tally) -> float | None:
    return _mean_seconds(tally.hold_ms, tally.handled)


@fast_frozen
class AgentTime:
    """The time of some agents while they were signed in, by status, in milliseconds."""

    ringing_ms: int = 0
    on_call_ms: int = 0  # talk and hold
    wrap_up_ms: int = 0
    available_ms: int = 0
    away_ms: int = 0

    @property
    def occupied_ms(self) -> int:
        return self.ringing_ms + self.on_call_ms + self.wrap_up_ms

    @property
    def staffed_ms(self) -> int:
        return self.ringing_ms + self.on_call_ms + self.wrap_up_ms + self.available_ms + self.away_ms


def acw_seconds(tally: Tally, time: AgentTime | None) -> float | None:
    """Time spent wrapping up / calls handled. Avaya Business Advocate User Guide 3.1, glossary, *after call work*."""
    return _mean_seconds(time.wrap_up_ms, tally.handled) if time else None


def aht_seconds(tally: Tally, time: AgentTime | None) -> float | None:
    """Average handle time: (talk + hold + after-call work) / calls handled. COPC and every ACD's manual."""
    wrap_up_ms = time.wrap_up_ms if time else 0
    return _mean_seconds(tally.talk_ms + tally.hold_ms + wrap_up_ms, tally.handled)


def occupancy(time: AgentTime) -> float | None:
    """(Talk + hold + wrap-up + ringing) / time signed in, away included. Avaya Business Advocate User Guide 3.1
    (07-300653, 2006), glossary, *agent occupancy*: call-related time over the total time staffed.
    """
    return _share(time.occupied_ms, time.staffed_ms)


def occupancy_without_away(time: AgentTime) -> float | None:
    """(Talk + hold + wrap-up + ringing) / (time signed in - time away). The formula of the same entry for reports of
    CMS, over TI_STAFFTIME - TI_AUXTIME. AUX is `away` in Switchboard.
    """
    return _share(time.occupied_ms, time.staffed_ms - time.away_ms)
