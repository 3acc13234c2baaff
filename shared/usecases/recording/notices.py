"""The notices of a transaction: its changes as JSON, for the relays and for other listeners."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from shared.contracts.views_json import encode_change, encode_status, event_json
from shared.domain.call import Call
from shared.domain.events import Initiated, Transferred
from shared.domain.fast import fast_frozen
from shared.usecases.recording.ports import AgentRecord, Departure, EventRow, EventState


@fast_frozen
class CallNotice:
    """One event that was applied or became void.

    row: the event.
    call: its call after the transaction.
    departure: the queue and the agent that the call left.
    change_json: `contracts.feed.Change`, for the relays.
    status_json: `contracts.views.StatusMessage`, for other listeners.
    """

    row: EventRow
    call: Call
    departure: Departure
    change_json: bytes
    status_json: bytes


def call_notice(row: EventRow, call: Call, call_view: bytes, departure: Departure) -> CallNotice:
    assert row.position is not None, "an event has a position once it is recorded"
    void = row.state is EventState.VOID
    event = event_json(row.event, record_id=row.position, version=row.version, void=void)
    return CallNotice(row, call, departure, encode_change(event, call_view, *departure), encode_status(event, call))


def call_notices(rows: Sequence[EventRow], call: Call, call_view: bytes, departure: Departure) -> Iterator[CallNotice]:
    """The notices of one call in one transaction. `call_view` is the encoded view of the call.

    The queue that the call left receives the events up to the transfer. Later events concern the next queue only.
    """
    if not departure.queue_id:
        return (call_notice(row, call, call_view, departure) for row in rows)
    moves = [row.event.order for row in rows if isinstance(row.event.fact, Initiated | Transferred)]
    until, later = min(moves, default=None), departure._replace(queue_id=None)
    return (
        call_notice(row, call, call_view, departure if until is None or row.event.order <= until else later)
        for row in rows
    )


@fast_frozen
class TransactionNotices:
    """All notices of one transaction.

    calls: the events.
    agents: the agents that it changed, as they are after it.
    transaction: its id; None if it changed nothing.
    traceparent: the trace of the request.
    traces: the traceparents of events that were sent with their own, by event id.
    left_queues: the queues that an administrator removed from an agent, by agent id; and the queue that a call left
        without an event, by call id.
    shard: the relay whose outbox row is published again; None if the transaction is published for the first time.
    moves: pairs of an agent and the call that moved the agent. The agent may have another call now.
    """

    calls: Sequence[CallNotice] = ()
    agents: Sequence[AgentRecord] = ()
    transaction: int | None = None
    traceparent: str | None = None
    traces: Mapping[str, str] = field(default_factory=dict[str, str])
    left_queues: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    shard: int | None = None
    moves: Sequence[tuple[str, str]] = ()
