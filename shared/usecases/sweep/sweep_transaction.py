"""One transaction of the sweep: records conclusions of the system, and offers calls to agents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.agent import AgentStatus, Effect
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind, conclusion, required_timers
from shared.domain.events import AnswerTimedOut, Event, Fact, Offered, Rerouted, Source
from shared.domain.fold import TICK
from shared.domain.legality import Verdict
from shared.domain.routing import Routing, searches, seeks_agent
from shared.usecases.errors import ConflictError, UnavailableError
from shared.usecases.recording.call_change import CallChange, agent_of
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import CallUpdates, UnitOfWork
from shared.usecases.recording.transaction_writer import commit, load_logs
from shared.usecases.sweep.services import SweepServices

GRACE_OVER = "Its predecessor never came."
MAX_ATTEMPTS = 8
MAX_REROUTE_DELAY = timedelta(seconds=1)
EVENTS_PER_CALL = 2  # positions to reserve; more are reserved when needed
NO_FINGERPRINT = ""  # an event of the system is never sent again


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The number of timers that fired or of calls that were offered, and the notices of each transaction."""

    count: int
    notices: Sequence[TransactionNotices] = ()


NOTHING = SweepResult(0)


def total(results: Sequence[SweepResult]) -> SweepResult:
    return SweepResult(
        sum(result.count for result in results), [notices for result in results for notices in result.notices]
    )


def run_together(transaction: Callable[[], SweepResult]) -> SweepResult | None:
    """Run one transaction for many calls. None if it fails or conflicts each time: then each call must run alone."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return transaction()
        except ConflictError:
            continue  # another transaction changed one of these calls
        except UnavailableError:
            raise
        except Exception:
            break
    return None


class SweepTransaction:
    def __init__(self, services: SweepServices, unit_of_work: UnitOfWork, now: datetime) -> None:
        self._services, self._unit_of_work, self._now = services, unit_of_work, now

    def fire(self, due: Mapping[str, set[TimerKind]]) -> TransactionNotices:
        """Record the conclusions of these timers, and offer the calls that an agent missed to the next agent."""
        changes = self._open(due)
        updates = CallUpdates()
        missed_at = {call_id: self._conclude(change, due[call_id], updates) for call_id, change in changes.items()}
        missed = {call_id: at for call_id, at in missed_at.items() if at}
        effects = [effect for change in changes.values() for effect in change.pending_effects(self._now)]
        updates.effects += effects if not missed else ()
        if missed:
            self._unit_of_work.apply_effects(effects)  # the agent that missed the call must not be claimed again
            routings = self._routings({call_id: changes[call_id] for call_id in missed})
            for call_id, at in missed.items():
                self._offer(changes[call_id], routings, at)
        for call_id, change in changes.items():
            self._update_timers(call_id, change, due[call_id], updates)
        return commit(self._unit_of_work, changes, self._now, self._services.grace, updates)

    def offer(self, call_ids: Sequence[str]) -> SweepResult:
        """Offer each of these calls to a free agent, if there is one."""
        changes = self._open({call_id: set[TimerKind]() for call_id in call_ids})
        routings = self._routings(changes)
        offered = sum(self._offer(changes[call_id], routings) for call_id in call_ids)
        return SweepResult(offered, [commit(self._unit_of_work, changes, self._now, self._services.grace)])

    def _open(self, due: Mapping[str, set[TimerKind]]) -> dict[str, CallChange]:
        records = self._unit_of_work.load(sorted(due), (), (), events=EVENTS_PER_CALL * len(due)).records
        changes = {call_id: CallChange(records[call_id]) for call_id in due}
        load_logs(
            self._unit_of_work, [change for call_id, change in changes.items() if self._needs_log(change, due[call_id])]
        )
        return changes

    def _needs_log(self, change: CallChange, kinds: set[TimerKind]) -> bool:
        """The time of a conclusion is its due time, which may be before the call's last event."""
        times = (self._now, *required_timers(change.call).values())
        return TimerKind.DEFERRED in kinds or any(map(change.may_need_log, times))

    def _conclude(self, change: CallChange, kinds: set[TimerKind], updates: CallUpdates) -> datetime | None:
        """Record the conclusions that are due now. Returns when an agent missed the call.

        The call decides which timers are due. The row of the timer only selected the call.
        """
        missed_at: datetime | None = None
        timers = sorted(required_timers(change.call).items(), key=lambda timer: timer[1])
        for kind, due_at in timers:
            call = change.call
            if due_at > self._now:
                break
            if kind is TimerKind.WRAP_UP and call and call.agent_id:
                updates.effects.append(Effect(call.agent_id, call.id, AgentStatus.AVAILABLE, due_at))
            elif call and (fact := conclusion(call, kind)):
                is_recorded = self._record(change, fact, due_at)
                missed_at = due_at if is_recorded and isinstance(fact, AnswerTimedOut) else missed_at
        if TimerKind.DEFERRED in kinds:
            change.expire_deferred(self._now, self._services.grace, GRACE_OVER)
        return missed_at

    def _routings(self, changes: Mapping[str, CallChange]) -> Mapping[str, Routing]:
        return self._unit_of_work.routing({change.call.queue_id for change in changes.values() if change.call})

    def _offer(self, change: CallChange, routings: Mapping[str, Routing], missed_at: datetime | None = None) -> bool:
        """Claim an agent and record the offer. Returns whether an agent was free."""
        call = change.call
        if call is None or not seeks_agent(call):
            return False
        at, routing = self._offer_time(call, missed_at), routings[call.queue_id]
        for search in searches(call, routing, at):
            if agent_id := self._unit_of_work.claim_agent(call, search, routing.strategy, at):
                is_recorded = self._record(change, Rerouted(agent_id) if call.attempts else Offered(agent_id), at)
                if change.call is None or agent_of(change.call) != agent_id:
                    # The offer made a deferred event legal, and the call has another agent or none.
                    self._unit_of_work.apply_effects([Effect(agent_id, call.id, AgentStatus.AVAILABLE, at)])
                return is_recorded
        return False

    def _offer_time(self, call: Call, missed_at: datetime | None) -> datetime:
        """A new offer begins when the one before ended. If the sweep is late, it begins now, so that the agent has the
        full time to answer. It never begins before the call's last event, because it could be void there.
        """
        is_prompt = missed_at is not None and self._now - missed_at < MAX_REROUTE_DELAY
        at = missed_at + TICK if missed_at and is_prompt else self._now
        return max(at, call.last_at + TICK)

    def _record(self, change: CallChange, fact: Fact, at: datetime) -> bool:
        event = Event(self._services.new_id(), change.record.id, fact, at, self._now, source=Source.SYSTEM)
        if change.needs_log(event):
            load_logs(self._unit_of_work, [change])
        return change.admit(event, NO_FINGERPRINT) is Verdict.LEGAL

    def _update_timers(self, call_id: str, change: CallChange, kinds: set[TimerKind], updates: CallUpdates) -> None:
        """Delete the timers that were due, and set those that the call requires at a later time."""
        updates.disarmed |= {(call_id, kind) for kind in kinds}
        timers = change.timers(self._services.grace).items()
        updates.armed |= {(call_id, kind): due_at for kind, due_at in timers if kind in kinds and due_at > self._now}
