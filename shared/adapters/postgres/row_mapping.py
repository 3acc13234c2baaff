"""Converts rows to domain values and back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, LiteralString

import orjson

from shared.adapters.postgres.columns import DOCUMENT, Columns, array_text
from shared.contracts.plain_json import Json, compile_json
from shared.contracts.views import AgentView, EventView
from shared.domain import events
from shared.domain.agent import AgentStatus
from shared.domain.call import Call, Missed, Offer, Status
from shared.domain.deadlines import flags, next_deadline
from shared.domain.events import EndReason, Event, Fact, Limits, Source
from shared.domain.routing import sought
from shared.usecases.recording.ports import AgentRecord, CallRecord, EventRow, EventState

Row = Mapping[str, Any]

_FACTS: dict[str, type[Fact]] = {name: fact for fact, name in events.NAMES.items()}
# Fields of a call that have a column of the same name and value. The other fields are in the column `state`.
_PLAIN: tuple[LiteralString, ...] = (
    "id", "type", "queue_id", "language", "initiated_at", "history", "attempts", "misses", "transfers", "holds",
    "agent_id", "answered_at", "wait_seconds", "hold_seconds", "longest_hold_seconds", "hold_excess_seconds",
    "ended_at", "duration_seconds", "priority", "version",
)  # fmt: skip
_plain_fields = itemgetter(*_PLAIN)
# The values of these columns for a row that has deferred events and no call yet.
_EMPTY: Json = dict.fromkeys(_PLAIN) | {
    "history": False, "attempts": 0, "misses": 0, "transfers": 0, "holds": 0, "hold_seconds": 0,
    "longest_hold_seconds": 0, "hold_excess_seconds": 0, "version": 0,
}  # fmt: skip
# A call's columns and their types, in the order of `call_values`.
CALL_COLUMNS: Columns = {
    "id": "text", "type": "text", "queue_id": "text", "language": "text", "initiated_at": "timestamptz",
    "history": "bool", "attempts": "int", "misses": "int", "transfers": "int", "holds": "int", "agent_id": "text",
    "answered_at": "timestamptz", "wait_seconds": "float8", "hold_seconds": "float8", "longest_hold_seconds": "float8",
    "hold_excess_seconds": "float8", "ended_at": "timestamptz", "duration_seconds": "float8", "priority": "int",
    "version": "int", "status": "text", "end_reason": "text", "flags": "text", "missed_by": "text",
    "offered_agent_id": "text", "due_at": "timestamptz", "settled_at": "timestamptz", "seeks": "text",
    "state": DOCUMENT,
}  # fmt: skip
EVENT_COLUMNS: Columns = {
    "position": "bigint", "id": "text", "call_id": "text", "name": "text", "data": DOCUMENT, "at": "timestamptz",
    "dated": "bool", "received_at": "timestamptz", "source": "text", "sequence": "bigint", "metadata": "text",
    "fingerprint": "text", "state": "text", "version": "int",
}  # fmt: skip
RESTATED_COLUMNS: Columns = {
    "id": "text", "received_at": "timestamptz", "at": "timestamptz", "state": "text", "version": "int",
    "reason": "text", "failed_at": "timestamptz", "redriven_at": "timestamptz", "attempts": "int",
}  # fmt: skip
# Fields that `state` omits if they have these values, as most calls do.
_DEFAULTS: Json = {
    "offer": None, "tried": (), "missed": (), "rerouted": False, "hold_reported_seconds": 0, "metadata": {},
    "held_at": None, "sla_breached_at": None, "hold_exceeded_at": None, "transferred_at": None,
    "answered_again_at": None,
}  # fmt: skip
# An agent's columns, in the order of `AgentRecord`.
AGENT: tuple[LiteralString, ...] = (
    "id", "name", "languages", "queues", "status", "status_since", "call_id", "reason", "skills", "misses", "version",
)  # fmt: skip
_make_agent = compile_json(AgentView)
_agent_values = attrgetter(*AGENT)
# The columns that the recorder reads. The other columns follow from these.
RECORDED: tuple[LiteralString, ...] = (*_PLAIN, "status", "end_reason", "missed_by", "state")
_recorded_values = itemgetter(*RECORDED)
_STATUS = RECORDED.index("status")


def call_values(record: CallRecord, now: datetime) -> tuple[object, ...]:
    call = record.call
    state: Json = {"last_event_id": record.last_event_id, "last_fingerprint": record.last_fingerprint}
    if record.deferred:
        state["deferred"] = record.deferred
    if record.void_until:
        state["void_until"] = record.void_until
    if call is None:
        plain = _plain_fields(_EMPTY | {"id": record.id})
        return (*plain, None, None, "{}", None, None, None, None if record.deferred else now, None, state)
    fields = vars(call)
    state |= {"limits": call.limits, "last_at": call.last_at}
    for name in _DEFAULTS:
        if value := fields[name]:
            state[name] = value
    return (
        *_plain_fields(fields),
        call.status,
        call.end_reason,
        f"{{{','.join(flags(call))}}}",
        array_text(call.missed_by) if call.missed_by else None,
        call.offer and call.offer.agent_id,
        (due := next_deadline(call)) and due.due_at,
        now if call.ended_at else None,
        sought(call),
        state,
    )


def call_from_row(row: Row) -> Call:
    return _call(_recorded_values(row), row["state"])


def _call(recorded: Sequence[Any], state: Json) -> Call:
    """The call, from the values of `RECORDED` and the parsed `state`."""
    fields = _DEFAULTS.copy()
    fields.update(zip(RECORDED, recorded, strict=True))
    del fields["state"]
    fields["status"] = _STATUSES[fields["status"]]
    fields["end_reason"] = EndReason(reason) if (reason := fields["end_reason"]) else None
    fields["missed_by"] = tuple(fields["missed_by"] or ())
    for name, value in state.items():
        if parse := _PARSERS.get(name):
            fields[name] = parse(value)
    return Call.of_fields(fields)


_STATUSES = {status.value: status for status in Status}  # faster than calling the enumeration


@lru_cache(256)  # queues share a few
def _limits(items: tuple[tuple[str, Any], ...]) -> Limits:
    return Limits(**dict(items))


def _offer(offer: Json) -> Offer:
    return Offer(offer["agent_id"], datetime.fromisoformat(offer["offered_at"]), offer["attempt"])


def _missed(missed: list[Json]) -> tuple[Missed, ...]:
    """A miss without the time of its offer has the time of the miss."""
    times = ((miss["agent_id"], miss["at"], miss.get("offered_at", miss["at"])) for miss in missed)
    return tuple(Missed(agent_id, *map(datetime.fromisoformat, both)) for agent_id, *both in times)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# Parsers of the fields in `state`.
_PARSERS: dict[str, Callable[[Any], Any]] = {
    "limits": lambda limits: _limits(tuple(limits.items())),
    "last_at": datetime.fromisoformat,
    "offer": lambda offer: offer and _offer(offer),
    "tried": tuple,
    "missed": _missed,
    "rerouted": bool,
    "hold_reported_seconds": float,
    "metadata": dict,
    "held_at": _moment,
    "sla_breached_at": _moment,
    "hold_exceeded_at": _moment,
    "transferred_at": _moment,
    "answered_again_at": _moment,
}


def record_from_row(row: Row) -> CallRecord:
    return record_from_values(_recorded_values(row))


def record_from_values(recorded: Sequence[Any]) -> CallRecord:
    """From the values of `RECORDED`. A batch has many rows, and a dict for each takes long."""
    state: Json = recorded[-1]
    return CallRecord(
        id=recorded[0],
        call=_call(recorded, state) if recorded[_STATUS] else None,
        deferred=state.get("deferred", 0),
        void_until=_moment(state.get("void_until")),
        last_event_id=state.get("last_event_id"),
        last_fingerprint=state.get("last_fingerprint"),
        exists=True,
    )


def event_values(row: EventRow) -> tuple[object, ...]:
    event = row.event
    return (
        row.position,
        event.id,
        event.call_id,
        event.name,
        event.fact,
        event.at,
        event.dated,
        event.received_at,
        event.source,
        event.sequence,
        None if event.metadata is None else orjson.dumps(event.metadata).decode(),
        row.fingerprint,
        row.state,
        row.version,
    )


def restated_values(row: EventRow) -> tuple[object, ...]:
    event, failed_at, redriven_at = row.event, row.failed_at, row.redriven_at
    key = event.id, event.received_at, event.at
    return *key, row.state, row.version, row.reason, failed_at, redriven_at, row.attempts


def fact_from_json(name: str, data: Json) -> Fact:
    kind = _FACTS[name]
    if "limits" in data:
        data = data | {"limits": Limits(**data["limits"])}
    if kind is events.Ended:
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
    return EventView.of(row.event, record_id=row.position, version=row.version, void=row.state is EventState.VOID)


def agent_view(agent: AgentRecord) -> AgentView:
    return AgentView.trusted(**_agent_fields(agent))


def agent_json(agent: AgentRecord) -> Json:
    """Return the `AgentView` of an agent as JSON."""
    return _make_agent(**_agent_fields(agent))


def _agent_fields(agent: AgentRecord) -> Json:
    fields: Json = dict(zip(AGENT, _agent_values(agent), strict=True))
    return fields | {"status": agent.status.value, "call_id": _call_of(agent)}


def _call_of(agent: AgentRecord) -> str | None:
    """A free agent is on no call, although the row keeps the last one."""
    return None if agent.status is AgentStatus.AVAILABLE else agent.call_id


def agent_from_row(row: Row) -> AgentRecord:
    return agent_from_values([row[name] for name in AGENT])


def agent_from_values(values: Sequence[Any]) -> AgentRecord:
    """From the values of `AGENT`."""
    agent_id, name, languages, queues, status, *others = values
    return AgentRecord(agent_id, name, languages, queues, AgentStatus(status), *others)
