"""Rows to domain values and back: the only place that knows both shapes."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.contracts.views import AgentView, EventView
from shared.domain import facts
from shared.domain.agents import AgentStatus, Effect
from shared.domain.call import Call, Missed, Offer, Status
from shared.domain.facts import EndReason, Event, Fact, Limits, Source
from shared.domain.rules import flags
from shared.usecases.journal import AgentRecord, CallRecord, EventRow, EventState

Row = Mapping[str, Any]
Json = dict[str, Any]

_FACTS: dict[str, type[Fact]] = {name: fact for fact, name in facts.NAMES.items()}
# Columns that hold a field of the same name and nothing to convert.
_PLAIN = (
    "id",
    "type",
    "queue_id",
    "language",
    "initiated_at",
    "last_at",
    "history",
    "attempts",
    "rerouted",
    "agent_id",
    "answered_at",
    "wait_seconds",
    "held_at",
    "hold_reported_seconds",
    "hold_seconds",
    "longest_hold_seconds",
    "ended_at",
    "end_reason",
    "duration_seconds",
    "sla_breached_at",
    "hold_exceeded_at",
    "priority",
    "version",
    "metadata",
)


def call_to_json(record: CallRecord) -> Json:
    row: Json = {
        "id": record.id,
        "parked": record.parked,
        "last_event_id": record.last_event_id,
        "last_fingerprint": record.last_fingerprint,
    }
    call = record.call
    if call is None:
        return _ANCHOR | row
    row |= {name: _plain(getattr(call, name)) for name in _PLAIN}
    offer = call.offer
    return row | {
        "status": call.status.value,
        "limits": _fields(call.limits),
        "offer": offer and _fields(offer),
        "tried": call.tried,
        "missed": [_fields(miss) for miss in call.missed],
        "flags": [flag.value for flag in flags(call)],
    }


# What a row without a call keeps in the columns that may not be null.
_ANCHOR: Json = {
    "history": False,
    "attempts": 0,
    "tried": [],
    "missed": [],
    "rerouted": False,
    "hold_reported_seconds": 0,
    "hold_seconds": 0,
    "longest_hold_seconds": 0,
    "version": 0,
    "metadata": {},
    "flags": [],
}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value


def _fields(value: object) -> Json:
    return {name: _plain(getattr(value, name)) for name in type(value).__dataclass_fields__}  # type: ignore[attr-defined]


def call_from_row(row: Row) -> Call:
    plain: Json = {name: row[name] for name in _PLAIN}
    plain["end_reason"] = EndReason(row["end_reason"]) if row["end_reason"] else None
    offer: Json | None = row["offer"]
    return Call(
        **plain,
        status=Status(row["status"]),
        limits=Limits(**row["limits"]),
        offer=Offer(offer["agent_id"], datetime.fromisoformat(offer["offered_at"]), offer["attempt"])
        if offer
        else None,
        tried=tuple(row["tried"]),
        missed=tuple(Missed(miss["agent_id"], datetime.fromisoformat(miss["at"])) for miss in row["missed"]),
    )


def record_from_row(row: Row) -> CallRecord:
    return CallRecord(
        id=row["id"],
        call=call_from_row(row) if row["status"] else None,
        parked=row["parked"],
        last_event_id=row["last_event_id"],
        last_fingerprint=row["last_fingerprint"],
        exists=True,
    )


def event_to_json(row: EventRow) -> Json:
    event = row.event
    return {
        "id": event.id,
        "call_id": event.call_id,
        "name": event.name,
        "data": fact_to_json(event.fact),
        "at": event.at.isoformat(),
        "dated": event.dated,
        "received_at": event.received_at.isoformat(),
        "source": event.source.value,
        "sequence": event.sequence,
        "metadata": event.metadata,
        "fingerprint": row.fingerprint,
        "state": row.state.value,
        "version": row.version,
    }


def fact_to_json(fact: Fact) -> Json:
    data: Json = {}
    for name in type(fact).__dataclass_fields__:
        value = getattr(fact, name)
        data[name] = _fields(value) if isinstance(value, Limits) else _plain(value)
    return data


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


def effect_to_json(effect: Effect) -> Json:
    return _fields(effect)


def agent_view(agent: AgentRecord) -> AgentView:
    """An agent who is free is on no call, whichever made the agent so."""
    fields = _agent_fields(agent)
    if agent.status is AgentStatus.AVAILABLE:
        fields["call_id"] = None
    return AgentView.model_construct(**fields)


def _agent_fields(agent: AgentRecord) -> Json:
    return {name: getattr(agent, name) for name in AgentRecord.__dataclass_fields__} | {"status": agent.status.value}


def agent_from_row(row: Row) -> AgentRecord:
    fields: Json = {name: row[name] for name in AgentRecord.__dataclass_fields__}
    fields["status"] = AgentStatus(row["status"])
    return AgentRecord(**fields)
