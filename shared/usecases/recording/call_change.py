"""The change of one call in one transaction: admits events one by one, then states what to write."""

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

NO_DEPARTURE = Departure()

_STATES = {
    Verdict.LEGAL: EventState.APPLIED,
    Verdict.DEFERRED: EventState.DEFERRED,
    Verdict.VOID: EventState.VOID,
    Verdict.ILLEGAL: EventState.DEFERRED,  # deferred before, and illegal by now: its grace period ends it
}
_PUBLISHED = (EventState.APPLIED, EventState.VOID)


class CallChange:
    """`log` holds the recorded events, once they were read; None before."""

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.before = self._with_effects = record.call
        self.log: list[EventRow] | None = None if record.exists else []
        self.recorded: list[EventRow] = []
        self._changed: dict[str, EventRow] = {}
        self._newest: Event | None = None  # the call's last event, if it was appended in this transaction
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
        """Whether the event cannot be appended, so that all events must be folded."""
        return self.log is None and not self._can_append(self.placed(event))

    def may_need_log(self, at: datetime) -> bool:
        """Whether an event at this time may need the log, whatever it reports."""
        call = self.record.call
        return self.log is None and (call is None or at <= call.last_at or not self._is_after_open_events(at))

    def _can_append(self, event: Event) -> bool:
        return self._is_last(event) or (self._follows_newest(event) and judge(self.call, event) is Verdict.LEGAL)

    def _is_last(self, event: Event) -> bool:
        """Whether the event is later than all others by its time alone."""
        record = self.record
        if not self._is_after_open_events(event.at):
            return False
        if record.call is None:
            return not record.exists and not self.recorded
        return event.at > record.call.last_at

    def _follows_newest(self, event: Event) -> bool:
        """Whether the event has the time of the last one and follows it in the order of events.

        Many clocks report whole seconds. Such an event is appended only if it is legal there: the fold finds the same
        order. Otherwise the fold may find another order in which all of them are legal.
        """
        newest = self._newest
        return newest is not None and event.order > newest.order and self._is_after_open_events(event.at)

    def _is_after_open_events(self, at: datetime) -> bool:
        """Whether no event is deferred, and no void event is later."""
        record = self.record
        return not record.deferred and (record.void_until is None or at > record.void_until)

    def admit(self, event: Event, fingerprint: str) -> Verdict:
        """Add the event. An illegal or void event changes nothing."""
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
        """Move an undated event after all known events, because a dated sender's clock may be ahead."""
        call = self.record.call
        if event.dated or event.is_system or call is None or event.at > call.last_at:
            return event
        return event.moved_to(call.last_at + TICK)

    def _admit_among(self, event: Event) -> tuple[Verdict, Event]:
        """Fold all events with the new one at its place."""
        rows = self.rows_not_dead()
        folded = fold([*(row.event for row in rows), event])
        self._newest = None
        verdict, event = folded.verdicts[event.id], folded.moved.get(event.id, event)
        if verdict not in (Verdict.LEGAL, Verdict.DEFERRED):
            return verdict, event
        changed = self._update_states(rows, folded, event)
        if folded.call and (verdict is Verdict.LEGAL or changed):
            version = (self.call.version if self.call else 0) + 1
            self.record.call = replace(folded.call, version=version)
            for row in changed:
                row.version = version
        return verdict, event

    def rows_not_dead(self) -> list[EventRow]:
        """The log must have been read."""
        assert self.log is not None, "the log is read before an event is admitted out of order"
        return [row for row in self._rows() if row.state is not EventState.DEAD]

    def _update_states(self, rows: Sequence[EventRow], folded: Folded, newcomer: Event) -> list[EventRow]:
        """Give each event the state that the fold found, and return the changed rows.

        An applied event that is illegal beside the new one is dead: it would have been refused if the new one had
        arrived first. So the order of arrival makes no difference.
        """
        changed: list[EventRow] = []
        for row in rows:
            verdict = folded.verdicts[row.event.id]
            state, event = _STATES[verdict], folded.moved.get(row.event.id, row.event)
            if verdict is Verdict.ILLEGAL and row.state is EventState.APPLIED:
                state, row.failed_at = EventState.DEAD, newcomer.received_at
                row.reason = f"Not possible beside {newcomer.name} {newcomer.id}, which arrived later."
            if state is EventState.DEFERRED and row.state is not state:
                row.redriven_at = newcomer.received_at  # its grace period begins: its new predecessor may arrive
            if state is not row.state or event.at != row.event.at:
                row.state, row.event = state, event
                changed.append(row)
        new_ids = {row.event.id for row in self.recorded}
        self._changed |= {
            row.event.id: row for row in changed if row.event.id not in new_ids or row.state is EventState.DEAD
        }
        self.record.summarize(rows)
        return changed

    def _record(self, event: Event, fingerprint: str, verdict: Verdict) -> None:
        record, is_deferred = self.record, verdict is Verdict.DEFERRED
        version = record.call.version if record.call and not is_deferred else None
        self.recorded.append(EventRow(event, fingerprint, _STATES[verdict], version))
        record.deferred += is_deferred
        if not event.is_system:
            record.last_event_id, record.last_fingerprint = event.id, fingerprint

    def expire_deferred(self, at: datetime, grace: timedelta, reason: str) -> None:
        """Mark deferred events as dead if their grace period is over."""
        for row in self.rows_not_dead():
            if row.state is EventState.DEFERRED and row.deferred_since + grace <= at:
                row.state, row.reason, row.failed_at = EventState.DEAD, reason, at
                self.record.deferred -= 1
                self._changed[row.event.id] = row

    def retry_dead_event(self, event_id: str, at: datetime) -> EventRow | None:
        """Judge a dead event again. It stays dead if it is still illegal. None if the event is not dead."""
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
        self._changed[row.event.id] = row
        return row

    def pending_effects(self, at: datetime) -> tuple[Effect, ...]:
        """Effects on agents since the last call of this method."""
        before, self._with_effects = self._with_effects, self.record.call
        return agent_effects(before, self._with_effects, at)

    def published_rows(self) -> list[EventRow]:
        """The events that were applied or became void in this transaction."""
        rows = [row for row in self.recorded if row.state in _PUBLISHED]
        if self._changed:
            rows += [row for row in self._changed.values() if row.state in _PUBLISHED]
        return rows

    def departure(self) -> Departure:
        """The queue and the agent that the call left."""
        before, call = self.before, self.record.call
        if not before or not call:
            return NO_DEPARTURE
        queue_id, agent_id = before.queue_id, agent_of(before)
        # An appended event removes no flag, so that the log was read if one is removed.
        unflagged = self.log is not None and bool(flags(before)) and not flags(call)
        if queue_id == call.queue_id and agent_id in (None, agent_of(call)) and not unflagged:
            return NO_DEPARTURE
        return Departure(
            queue_id if queue_id != call.queue_id else None,
            agent_id if agent_id != agent_of(call) else None,
            unflagged,
        )

    def timers(self, grace: timedelta) -> dict[TimerKind, datetime]:
        """Due times of the call's timers, and of the grace period of its deferred events."""
        timers = dict(required_timers(self.record.call))
        if self.record.deferred:
            deferred = [row.deferred_since for row in self._rows() if row.state is EventState.DEFERRED]
            timers |= {TimerKind.DEFERRED: min(deferred) + grace} if deferred else {}
        return timers

    def add_updates(self, updates: CallUpdates, at: datetime, grace: timedelta) -> None:
        if not self.recorded and not self._changed:
            return
        updates.records.append(self.record)
        updates.changed_events += self._changed.values()
        effects = self.pending_effects(at)
        wraps_up = False
        for effect in effects:
            updates.effects.append(effect)
            wraps_up |= effect.status is AgentStatus.WRAP_UP
        engaged = {effect.agent_id for effect in effects if effect.status in ENGAGED}
        updates.agents_to_register += [named for named in self._named_agents() if named.agent_id not in engaged]
        self._update_timers(updates, grace, wraps_up)

    def _named_agents(self) -> Iterator[Effect]:
        """The agents that the events name, also if a later event of the transaction released them."""
        if self.call is None or self.call.history:
            return
        for row in self.published_rows():
            if isinstance(fact := row.event.fact, Routed | Answered | Transferred) and fact.agent_id:
                yield Effect(fact.agent_id, self.record.id, AgentStatus.AVAILABLE, row.event.at)

    def _update_timers(self, updates: CallUpdates, grace: timedelta, wraps_up: bool) -> None:
        call_id, before, deferred = self.record.id, required_timers(self.before), self._deferred_before
        after = self.timers(grace) if self.record.deferred else required_timers(self.record.call)
        if before == after and not deferred and not wraps_up:
            return
        for kind, due_at in after.items():
            if before.get(kind) != due_at:
                updates.armed[call_id, kind] = due_at
        for kind in (*before, TimerKind.DEFERRED) if deferred else before:
            if kind not in after:
                updates.disarmed.add((call_id, kind))
        if wraps_up and TimerKind.WRAP_UP in after:
            # The timer may have fired already, for another agent than the one that served the call.
            updates.armed[call_id, TimerKind.WRAP_UP] = after[TimerKind.WRAP_UP]

    def _rows(self) -> list[EventRow]:
        return [*(self.log or ()), *self.recorded]


def agent_of(call: Call) -> str | None:
    """The agent that talks, or whose phone rings."""
    return call.agent_id or (call.offer.agent_id if call.offer else None)
