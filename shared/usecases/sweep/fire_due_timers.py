"""Keep the promises: conclude what is due, find the next agent, give up what never became legal."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.agent import AgentStatus, Effect
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind, conclusion, required_timers
from shared.domain.events import AnswerTimedOut, Event, Fact, Offered, Rerouted, Source
from shared.domain.fold import TICK
from shared.domain.legality import Verdict
from shared.domain.routing import Routing, searches, seeks_agent
from shared.usecases.errors import ConflictError, UnavailableError, continue_after_failure
from shared.usecases.recording.call_change import CallChange, agent_of
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import CallUpdates, OutboxEntry, UnitOfWork
from shared.usecases.recording.transaction_writer import commit, load_logs
from shared.usecases.sweep.services import SweepServices

GRACE_OVER = "Its predecessor never came."
IN_TIME = timedelta(seconds=1)
RETRY_AFTER = timedelta(minutes=1)  # until what failed for no reason that anybody foresaw is tried again
ATTEMPTS = 8
AT_ONCE = 2  # events that one look at a call records, or fewer, most of the time
SYSTEM = ""  # the system's own events have no sender whose copies would have to be known again


@dataclass(frozen=True, slots=True)
class Swept:
    """The number of timers that fired or of calls that were offered, and the notices of each transaction."""

    count: int
    notices: Sequence[TransactionNotices] = ()


NOTHING = Swept(0)


def fire_due_timers(sweeper: SweepServices, now: datetime, limit: int = 200) -> Swept:
    """Record what follows from the timers that are due now. Any number of sweeps may run at once.

    If a call fails unexpectedly, its timers are due again after a minute, and the timers of the other calls fire.
    """
    fired = _together(lambda: _settle(sweeper, now, lambda unit_of_work: unit_of_work.due_timers(now, limit)))
    if fired:
        return fired
    with sweeper.transactions.begin() as unit_of_work:
        due = unit_of_work.due_timers(now, limit)
    return _sum([_settle_alone(sweeper, now, call_id, kinds) for call_id, kinds in due.items()])


def _sum(parts: Sequence[Swept]) -> Swept:
    return Swept(sum(part.count for part in parts), [news for part in parts for news in part.notices])


def _together(work: Callable[[], Swept]) -> Swept | None:
    """None if the transaction fails, or conflicts each time. Then each call alone shows which one failed."""
    for _ in range(ATTEMPTS):
        try:
            return work()
        except ConflictError:
            continue  # somebody was faster at one of these calls: look again
        except UnavailableError:
            raise
        except Exception:
            break
    return None


def _settle(
    sweeper: SweepServices, now: datetime, found: Callable[[UnitOfWork], Mapping[str, set[TimerKind]]]
) -> Swept:
    """Raises `ConflictError` where somebody was faster at one of these calls."""
    with sweeper.transactions.begin() as unit_of_work:
        due = found(unit_of_work)
        if not due:
            return NOTHING
        news = _Sweep(sweeper, unit_of_work, now).apply_effects(due)
    return Swept(sum(len(kinds) for kinds in due.values()), [news])


def _settle_alone(sweeper: SweepServices, now: datetime, call_id: str, kinds: set[TimerKind]) -> Swept:
    with continue_after_failure(sweeper.log_failure, call_id):
        try:
            return _settle(sweeper, now, lambda _: {call_id: kinds})
        except ConflictError:
            return NOTHING  # the next round sees the other transaction's result
    _put_off(sweeper, now, call_id, kinds)
    return NOTHING


def _put_off(sweeper: SweepServices, now: datetime, call_id: str, kinds: set[TimerKind]) -> None:
    """A timer that its call does not owe any more by then is cleared away when it comes due."""
    later = CallUpdates(armed={(call_id, kind): now + RETRY_AFTER for kind in kinds})
    with suppress(ConflictError), sweeper.transactions.begin() as unit_of_work:
        unit_of_work.write(later, now)
        unit_of_work.commit(OutboxEntry(), now, meanwhile=lambda: None)


def record_offers(
    sweeper: SweepServices, now: datetime, queue_ids: Collection[str] | None = None, limit: int = 10
) -> Swept:
    """Offer the waiting calls of these queues, or of all queues, to free agents.

    If a call fails unexpectedly, the others are offered.
    """
    offered = _together(
        lambda: _offer(sweeper, now, lambda unit_of_work: unit_of_work.waiting_calls(now, queue_ids, limit))
    )
    if offered:
        return offered
    with sweeper.transactions.begin() as unit_of_work:
        waiting = unit_of_work.waiting_calls(now, queue_ids, limit)
    return _sum([_offer_alone(sweeper, now, call_id) for call_id in waiting])


def _offer(sweeper: SweepServices, now: datetime, found: Callable[[UnitOfWork], Sequence[str]]) -> Swept:
    """Raises `ConflictError` as above."""
    with sweeper.transactions.begin() as unit_of_work:
        waiting = found(unit_of_work)
        if not waiting:
            return NOTHING
        sweep = _Sweep(sweeper, unit_of_work, now)
        changes = sweep.open({call_id: set[TimerKind]() for call_id in waiting})
        routings = sweep.routings(changes)
        offered = sum(sweep.offer(changes[call_id], routings) for call_id in waiting)
        news = commit(unit_of_work, changes, now, sweeper.grace)
    return Swept(offered, [news])


def _offer_alone(sweeper: SweepServices, now: datetime, call_id: str) -> Swept:
    with continue_after_failure(sweeper.log_failure, call_id), suppress(ConflictError):
        return _offer(sweeper, now, lambda _: [call_id])
    return NOTHING


class _Sweep:
    """One transaction of a sweep."""

    def __init__(self, sweeper: SweepServices, unit_of_work: UnitOfWork, now: datetime) -> None:
        self._sweeper, self._unit_of_work, self._now = sweeper, unit_of_work, now

    def apply_effects(self, due: Mapping[str, set[TimerKind]]) -> TransactionNotices:
        changes = self.open(due)
        updates = CallUpdates()
        lapses = {call_id: self._conclude(change, due[call_id], updates) for call_id, change in changes.items()}
        lapsed = {call_id: lapsed_at for call_id, lapsed_at in lapses.items() if lapsed_at}
        effects = [effect for change in changes.values() for effect in change.pending_effects(self._now)]
        updates.effects += effects if not lapsed else ()
        if lapsed:
            self._unit_of_work.apply_effects(effects)  # who missed a call lets go of it before the next one is claimed
            routings = self.routings({call_id: changes[call_id] for call_id in lapsed})
            for call_id, lapsed_at in lapsed.items():
                self.offer(changes[call_id], routings, lapsed_at)
        for call_id, change in changes.items():
            self._rearm(call_id, change, due[call_id], updates)
        return commit(self._unit_of_work, changes, self._now, self._sweeper.grace, updates)

    def open(self, due: Mapping[str, set[TimerKind]]) -> dict[str, CallChange]:
        records = self._unit_of_work.load(sorted(due), (), (), events=AT_ONCE * len(due)).records
        changes = {call_id: CallChange(records[call_id]) for call_id in due}
        load_logs(
            self._unit_of_work, [change for call_id, change in changes.items() if self._reads_log(change, due[call_id])]
        )
        return changes

    def _reads_log(self, change: CallChange, kinds: set[TimerKind]) -> bool:
        """A conclusion stands at its due time, which may lie before what was recorded since."""
        times = (self._now, *required_timers(change.call).values())
        return TimerKind.DEFERRED in kinds or any(map(change.may_need_log, times))

    def _conclude(self, change: CallChange, kinds: set[TimerKind], updates: CallUpdates) -> datetime | None:
        """Record what is due by now; when an offer lapsed. The state decides what is owed, not the timer's row."""
        lapsed_at: datetime | None = None
        owed = sorted(required_timers(change.call).items(), key=lambda timer: timer[1])
        for kind, due_at in owed:
            call = change.call
            if due_at > self._now:
                break
            if kind is TimerKind.WRAP_UP and call and call.agent_id:
                updates.effects.append(Effect(call.agent_id, call.id, AgentStatus.AVAILABLE, due_at))
            elif call and (fact := conclusion(call, kind)):
                recorded = self._record(change, fact, due_at)
                lapsed_at = due_at if recorded and isinstance(fact, AnswerTimedOut) else lapsed_at
        if TimerKind.DEFERRED in kinds:
            change.expire_deferred(self._now, self._sweeper.grace, GRACE_OVER)
        return lapsed_at

    def routings(self, changes: Mapping[str, CallChange]) -> Mapping[str, Routing]:
        return self._unit_of_work.routing({change.call.queue_id for change in changes.values() if change.call})

    def offer(self, change: CallChange, routings: Mapping[str, Routing], lapsed_at: datetime | None = None) -> bool:
        """Claim an agent and offer the call; whether there was one."""
        call = change.call
        if call is None or not seeks_agent(call):
            return False
        at, routing = self._offer_at(call, lapsed_at), routings[call.queue_id]
        for search in searches(call, routing, at):
            if agent_id := self._unit_of_work.claim_agent(call, search, routing.strategy, at):
                recorded = self._record(change, Rerouted(agent_id) if call.attempts else Offered(agent_id), at)
                if change.call is None or agent_of(change.call) != agent_id:
                    # An event that waited for an offer has come behind it, and the call has gone on.
                    self._unit_of_work.apply_effects([Effect(agent_id, call.id, AgentStatus.AVAILABLE, at)])
                return recorded
        return False

    def _offer_at(self, call: Call, lapsed_at: datetime | None) -> datetime:
        """A new offer follows the lapse of the one before. Where the sweep is late, it begins now: an agent whose phone
        has not rung yet must not be short of time to answer.

        Never before what is known of the call: an offer that found itself void would leave its agent claimed.
        """
        in_time = lapsed_at is not None and self._now - lapsed_at < IN_TIME
        at = lapsed_at + TICK if lapsed_at and in_time else self._now
        return max(at, call.last_at + TICK)

    def _record(self, change: CallChange, fact: Fact, at: datetime) -> bool:
        event = Event(self._sweeper.new_id(), change.record.id, fact, at, self._now, source=Source.SYSTEM)
        if change.needs_log(event):
            load_logs(self._unit_of_work, [change])
        return change.admit(event, SYSTEM) is Verdict.LEGAL

    def _rearm(self, call_id: str, change: CallChange, kinds: set[TimerKind], updates: CallUpdates) -> None:
        """Every timer found due is gone, and armed anew where the call still owes it for a later time."""
        updates.disarmed |= {(call_id, kind) for kind in kinds}
        owed = change.owed(self._sweeper.grace).items()
        updates.armed |= {(call_id, kind): due_at for kind, due_at in owed if kind in kinds and due_at > self._now}
