"""A call under way through one transaction: admits events one by one and knows at the end what to write."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.contracts.views_json import encode_call
from shared.domain.agent import ENGAGED, AgentStatus, Effect, agent_effects
from shared.domain.call import Call
from shared.domain.deadlines import TimerKind, flags, required_timers
from shared.domain.events import Answered, Event, Routed, Transferred
from shared.domain.fold import TICK, Folded, append, fold
from shared.domain.legality import Verdict, judge
from shared.usecases.recording.ports import CallRecord, CallUpdates, Departure, EventRow, EventState

STAYED = Departure()

_STATES = {
    Verdict.LEGAL: EventState.APPLIED,
    Verdict.DEFERRED: EventState.DEFERRED,
    Verdict.VOID: EventState.VOID,
    Verdict.ILLEGAL: EventState.DEFERRED,  # it was early, and what came since closed its place: its grace ends it
}
_TOLD = (EventState.APPLIED, EventState.VOID)


class CallChange:
    """`log` holds the events on record; None while nobody has needed to read them."""

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.before = self.settled = record.call
        self.log: list[EventRow] | None = None if record.exists else []
        self.recorded: list[EventRow] = []
        self._restated: dict[str, EventRow] = {}
        self._newest: Event | None = None  # of the events that made the call, where it was added here and now
        self._deferred_before = record.deferred > 0
        self._encoded: tuple[Call, bytes] | None = None

    @property
    def call(self) -> Call | None:
        return self.record.call

    @property
    def call_view(self) -> bytes | None:
        """The encoded view of the call. The response and each notice of the transaction contain the same bytes."""
        if (call := self.call) is None:
            return None
        if self._encoded is None or self._encoded[0] is not call:
            self._encoded = call, encode_call(call)
        return self._encoded[1]

    def needs_log(self, event: Event) -> bool:
        """Whether this event needs the whole log folded, rather than to be added to the end."""
        return self.log is None and not self._comes_next(self.placed(event))

    def may_need_log(self, at: datetime) -> bool:
        """Whether an event at this time, whichever, may need it."""
        call = self.record.call
        return self.log is None and (call is None or at <= call.last_at or not self._is_past_all_others(at))

    def _comes_next(self, event: Event) -> bool:
        return self._is_last(event) or (self._follows_newest(event) and judge(self.call, event) is Verdict.LEGAL)

    def _is_last(self, event: Event) -> bool:
        """Whether its time alone puts it behind all others."""
        record = self.record
        if not self._is_past_all_others(event.at):
            return False
        if record.call is None:
            return not record.exists and not self.recorded
        return event.at > record.call.last_at

    def _follows_newest(self, event: Event) -> bool:
        """Whether it is of the same instant as the event before, and behind that by its order.

        Many clocks report whole seconds. Such an event may be appended only if it is legal at the end: the order that
        the fold finds is then this one. Otherwise the fold may find another order, in which all of them are legal.
        """
        newest = self._newest
        return newest is not None and event.order > newest.order and self._is_past_all_others(event.at)

    def _is_past_all_others(self, at: datetime) -> bool:
        """Nothing waits for what comes, and nothing that is void will follow it."""
        record = self.record
        return not record.deferred and (record.void_until is None or at > record.void_until)

    def admit(self, event: Event, fingerprint: str) -> Verdict:
        """Take the event in, unless it is illegal or void: then nothing changes."""
        event, call = self.placed(event), self.record.call
        is_last = self._is_last(event)
        verdict = judge(call, event) if is_last or self._follows_newest(event) else None
        if verdict is Verdict.LEGAL:
            self.record.call, self._newest = append(call, event), event
        elif verdict is None or not is_last:
            verdict, event = self._admit_among(event)
        if verdict is Verdict.LEGAL or verdict is Verdict.DEFERRED:
            self._record(event, fingerprint, verdict)
        return verdict

    def placed(self, event: Event) -> Event:
        """An undated event comes after all that was known at its receipt, even if a dated sender's clock is ahead."""
        call = self.record.call
        if event.dated or event.is_system or call is None or event.at > call.last_at:
            return event
        return event.moved_to(call.last_at + TICK)

    def _admit_among(self, event: Event) -> tuple[Verdict, Event]:
        """Fold all that is known with the new event in its place."""
        rows = self.living_rows()
        folded = fold([*(row.event for row in rows), event])
        self._newest = None
        verdict, event = folded.verdicts[event.id], folded.moved.get(event.id, event)
        if verdict not in (Verdict.LEGAL, Verdict.DEFERRED):
            return verdict, event
        changed = self._restate(rows, folded, event)
        if folded.call and (verdict is Verdict.LEGAL or changed):
            version = (self.call.version if self.call else 0) + 1
            self.record.call = replace(folded.call, version=version)
            for row in changed:
                row.version = version
        return verdict, event

    def living_rows(self) -> list[EventRow]:
        """The events on record that are not dead. The log must have been read."""
        assert self.log is not None, "read the log before an event is admitted out of order"
        return [row for row in self._rows() if row.state is not EventState.DEAD]

    def _restate(self, rows: Sequence[EventRow], folded: Folded, newcomer: Event) -> list[EventRow]:
        """Give each event the state that the set decides. What is impossible beside the newcomer would have been
        refused had that come first: it is given up, so that the order of arrival makes no difference.
        """
        changed: list[EventRow] = []
        for row in rows:
            verdict = folded.verdicts[row.event.id]
            state, event = _STATES[verdict], folded.moved.get(row.event.id, row.event)
            if verdict is Verdict.ILLEGAL and row.state is EventState.APPLIED:
                state, row.failed_at = EventState.DEAD, newcomer.received_at
                row.reason = f"Not possible beside {newcomer.name} {newcomer.id}, which came later."
            if state is EventState.DEFERRED and row.state is not state:
                row.redriven_at = newcomer.received_at  # its grace begins: what it follows now may be on its way
            if state is not row.state or event.at != row.event.at:
                row.state, row.event = state, event
                changed.append(row)
        fresh = {row.event.id for row in self.recorded}
        self._restated |= {
            row.event.id: row for row in changed if row.event.id not in fresh or row.state is EventState.DEAD
        }
        self.record.remember(rows)
        return changed

    def _record(self, event: Event, fingerprint: str, verdict: Verdict) -> None:
        record, early = self.record, verdict is Verdict.DEFERRED
        version = record.call.version if record.call and not early else None
        self.recorded.append(EventRow(event, fingerprint, _STATES[verdict], version))
        record.deferred += early
        if not event.is_system:
            record.last_event_id, record.last_fingerprint = event.id, fingerprint

    def expire_deferred(self, at: datetime, grace: timedelta, reason: str) -> None:
        """Give up deferred events whose grace is over and whose predecessor never came."""
        for row in self.living_rows():
            if row.state is EventState.DEFERRED and row.deferred_since + grace <= at:
                row.state, row.reason, row.failed_at = EventState.DEAD, reason, at
                self.record.deferred -= 1
                self._restated[row.event.id] = row

    def retry_dead(self, event_id: str, at: datetime) -> EventRow | None:
        """Try a dead event again by the rules for any other; one that is still impossible stays dead.

        None where it is not dead, or not any more.
        """
        row = next((row for row in self._rows() if row.event.id == event_id), None)
        if row is None or row.state is not EventState.DEAD:
            return None
        verdict, event = self._admit_among(row.event)
        row.attempts += 1
        if verdict in (Verdict.LEGAL, Verdict.DEFERRED):
            row.state, row.event, row.redriven_at = _STATES[verdict], event, at
            row.reason = row.failed_at = None
            row.version = self.call.version if self.call and verdict is Verdict.LEGAL else None
            self.record.deferred += verdict is Verdict.DEFERRED
        else:
            row.failed_at = at
        self._restated[row.event.id] = row
        return row

    def pending_effects(self, at: datetime) -> tuple[Effect, ...]:
        """What the agents' records lack since the last time this was asked."""
        settled, self.settled = self.settled, self.record.call
        return agent_effects(settled, self.settled, at)

    def told(self) -> list[EventRow]:
        """The events that the floor must hear of: those applied now, and those that turned void."""
        told = [row for row in self.recorded if row.state in _TOLD]
        if self._restated:
            told += [row for row in self._restated.values() if row.state in _TOLD]
        return told

    def left(self) -> Departure:
        """The queue and the agent who had the call before, where it has gone on to others."""
        before, call = self.before, self.record.call
        if not before or not call:
            return STAYED
        queue_id, agent_id = before.queue_id, agent_of(before)
        # No event that comes next takes a flag back.
        unflagged = self.log is not None and bool(flags(before)) and not flags(call)
        if queue_id == call.queue_id and agent_id in (None, agent_of(call)) and not unflagged:
            return STAYED
        return Departure(
            queue_id if queue_id != call.queue_id else None,
            agent_id if agent_id != agent_of(call) else None,
            unflagged,
        )

    def owed(self, grace: timedelta) -> dict[TimerKind, datetime]:
        """When the timers of the call as it stands are due, and the grace of what is deferred."""
        owed = dict(required_timers(self.record.call))
        if self.record.deferred:
            deferred = [row.deferred_since for row in self._rows() if row.state is EventState.DEFERRED]
            owed |= {TimerKind.DEFERRED: min(deferred) + grace} if deferred else {}
        return owed

    def add_updates(self, updates: CallUpdates, at: datetime, grace: timedelta) -> None:
        if not self.recorded and not self._restated:
            return
        updates.records.append(self.record)
        updates.restated += self._restated.values()
        effects = self.pending_effects(at)
        wraps_up = False
        for effect in effects:
            updates.effects.append(effect)
            wraps_up |= effect.status is AgentStatus.WRAP_UP
        engaged = {effect.agent_id for effect in effects if effect.status in ENGAGED}
        updates.met += [met for met in self._met() if met.agent_id not in engaged]
        self._rearm(updates, grace, wraps_up)

    def _met(self) -> Iterator[Effect]:
        """Whose phone rang, or who talked, if only between two events that came together."""
        if self.call is None or self.call.history:
            return
        for row in self.told():
            if isinstance(fact := row.event.fact, Routed | Answered | Transferred) and fact.agent_id:
                yield Effect(fact.agent_id, self.record.id, AgentStatus.AVAILABLE, row.event.at)

    def _rearm(self, updates: CallUpdates, grace: timedelta, wraps_up: bool) -> None:
        call_id, before, deferred = self.record.id, required_timers(self.before), self._deferred_before
        owed = self.owed(grace) if self.record.deferred else required_timers(self.record.call)
        if before == owed and not deferred and not wraps_up:
            return
        for kind, due_at in owed.items():
            if before.get(kind) != due_at:
                updates.armed[call_id, kind] = due_at
        for kind in (*before, TimerKind.DEFERRED) if deferred else before:
            if kind not in owed:
                updates.disarmed.add((call_id, kind))
        if wraps_up and TimerKind.WRAP_UP in owed:
            # Owed before as well, perhaps, and swept: for another agent than the one who turns out to have served.
            updates.armed[call_id, TimerKind.WRAP_UP] = owed[TimerKind.WRAP_UP]

    def _rows(self) -> list[EventRow]:
        return [*(self.log or ()), *self.recorded]


def agent_of(call: Call) -> str | None:
    """Who talks, or whose phone rings."""
    return call.agent_id or (call.offer.agent_id if call.offer else None)
