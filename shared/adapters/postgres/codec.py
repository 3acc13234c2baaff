"""Rows to domain values and back: the only place that knows both shapes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.contracts.views import AgentView, EventView
from shared.contracts.wire import Json, event_json
from shared.domain import facts
from shared.domain.agents import AgentStatus
from shared.domain.call import Call, Missed, Offer, Status
from shared.domain.facts import EndReason, Event, Fact, Limits, Source
from shared.domain.rules import flags, next_promise
from shared.usecases.journal import AgentRecord, CallRecord, EventRow, EventState

Row = Mapping[str, Any]

_FACTS: dict[str, type[Fact]] = {name: fact for fact, name in facts.NAMES.items()}
# Fields of a call that have a column of their name; the others are in its `state`.
_COLUMNS = (
    "id", "type", "queue_id", "language", "initiated_at", "history", "attempts", "misses", "transfers", "holds",
    "agent_id", "answered_at", "wait_seconds", "hold_seconds", "longest_hold_seconds", "hold_excess_seconds",
    "ended_at", "duration_seconds", "priority", "version",
)  # fmt: skip
# Defaults of what is left out of a state, because most calls have none of it most of the time.
_STATE: Json = {"rerouted": False, "hold_reported_seconds": 0, "metadata": {}}
_MOMENTS = ("last_at", "held_at", "sla_breached_at", "hold_exceeded_at")


def call_to_json(record: CallRecord, now: datetime) -> Json:
    """What is null is left out: most of a call's columns are, most of the time."""
    call = record.call
    if call is None:
        return _ANCHOR | {"id": record.id, "state": _state(record)}
    fields = vars(call)
    row: Json = {name: value for name in _COLUMNS if (value := fields[name]) is not None}
    row["status"] = call.status
    row["end_reason"] = call.end_reason
    row["flags"] = flags(call)
    row["offered_agent_id"] = call.offer and call.offer.agent_id
    row["due_at"] = (due := next_promise(call)) and due.due_at
    row["settled_at"] = now if call.ended_at else None
    row["state"] = _state(record) | _call_state(call)
    return row


def _state(record: CallRecord) -> Json:
    state: Json = {"last_event_id": record.last_event_id, "last_fingerprint": record.last_fingerprint}
    if record.parked:
        state["parked"] = record.parked
    return state


def _call_state(call: Call) -> Json:
    state: Json = {"limits": call.limits, "last_at": call.last_at}
    for name in ("offer", "tried", "missed", "rerouted", "hold_reported_seconds", "metadata", *_MOMENTS[1:]):
        if value := getattr(call, name):
            state[name] = value
    return state


# What a row without a call keeps in the columns that may not be null.
_ANCHOR: Json = {
    "history": False,
    "attempts": 0,
    "misses": 0,
    "transfers": 0,
    "holds": 0,
    "hold_seconds": 0,
    "longest_hold_seconds": 0,
    "hold_excess_seconds": 0,
    "version": 0,
    "flags": [],
}


def call_from_row(row: Row) -> Call:
    state: Json = row["state"]
    fields: Json = _STATE | {name: row[name] for name in _COLUMNS}
    fields |= {name: state[name] for name in _STATE if name in state}
    fields |= {name: _moment(state.get(name)) for name in _MOMENTS}
    offer: Json | None = state.get("offer")
    reason: str | None = row["end_reason"]
    fields |= {
        "status": Status(row["status"]),
        "limits": Limits(**state["limits"]),
        "end_reason": reason and EndReason(reason),
        "offer": offer and Offer(offer["agent_id"], datetime.fromisoformat(offer["offered_at"]), offer["attempt"]),
        "tried": tuple(state.get("tried", ())),
        "missed": tuple(
            Missed(miss["agent_id"], datetime.fromisoformat(miss["at"])) for miss in state.get("missed", ())
        ),
    }
    return Call.of_fields(fields)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def record_from_row(row: Row) -> CallRecord:
    state: Json = row["state"]
    return CallRecord(
        id=row["id"],
        call=call_from_row(row) if row["status"] else None,
        parked=state.get("parked", 0),
        last_event_id=state.get("last_event_id"),
        last_fingerprint=state.get("last_fingerprint"),
        exists=True,
    )


def event_to_json(row: EventRow) -> Json:
    event = row.event
    fields: Json = {
        "id": event.id,
        "call_id": event.call_id,
        "name": event.name,
        "data": event.fact,
        "at": event.at,
        "dated": event.dated,
        "received_at": event.received_at,
        "source": event.source,
        "sequence": event.sequence,
        "metadata": event.metadata,
        "fingerprint": row.fingerprint,
        "state": row.state,
        "version": row.version,
    }
    return {name: value for name, value in fields.items() if value is not None}


def fact_from_json(name: str, data: Json) -> Fact:
    kind = _FACTS[name]
    if "limits" in data:
        data = data | {"limits": Limits(**data["limits"])}
    if kind is facts.Ended:
        data = data | {"reason": EndReason(data["reason"])}
    return kind(**data)


def event_from_row(row: Row) -> EventRow:
    event = Event(
        id=row["id"],
        call_id=row["call_id"],
        fact=fact_from_json(row["name"], row["data"]),
        at=row["at"],
        received_at=row["received_at"],
        dated=row["dated"],
        source=Source(row["source"]),
        sequence=row["sequence"],
        metadata=row["metadata"],
    )
    return EventRow(
        event,
        row["fingerprint"],
        EventState(row["state"]),
        row["version"],
        row["position"],
        redriven_at=row["redriven_at"],
        attempts=row["attempts"],
    )


def event_view(row: EventRow) -> EventView:
    assert row.position is not None, "an event has a position once it is recorded"
    return EventView.of(row.event, position=row.position, version=row.version, void=row.state is EventState.VOID)


def event_json_of(row: EventRow) -> Json:
    assert row.position is not None, "an event has a position once it is recorded"
    return event_json(row.event, position=row.position, version=row.version, void=row.state is EventState.VOID)


def agent_view(agent: AgentRecord) -> AgentView:
    """An agent who is free is on no call, whichever made the agent so."""
    fields = _agent_fields(agent)
    if agent.status is AgentStatus.AVAILABLE:
        fields["call_id"] = None
    return AgentView.trusted(**fields)


def _agent_fields(agent: AgentRecord) -> Json:
    return {name: getattr(agent, name) for name in AgentRecord.__dataclass_fields__} | {"status": agent.status.value}


def agent_from_row(row: Row) -> AgentRecord:
    fields: Json = {name: row[name] for name in AgentRecord.__dataclass_fields__}
    fields["status"] = AgentStatus(row["status"])
    return AgentRecord(**fields)
