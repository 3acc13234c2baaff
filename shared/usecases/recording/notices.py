"""What a transaction has to tell the floor, in the words in which it travels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from shared.contracts.views_json import encode_change, encode_status, event_json
from shared.domain.call import Call
from shared.domain.events import Initiated, Transferred
from shared.domain.fast import fast_frozen
from shared.usecases.recording.ports import AgentRecord, Departure, EventRow, EventState


@fast_frozen
class CallNotice:
    """An event that was applied or made void, and the call as its transaction left it.

    `change` is `contracts.feed.Change` for our relays, `status` `contracts.views.StatusMessage` for others who listen.
    """

    row: EventRow
    call: Call
    left: Departure
    change: bytes
    status: bytes


def call_notice(row: EventRow, call: Call, call_view: bytes, left: Departure) -> CallNotice:
    assert row.position is not None, "an event has a position once it is recorded"
    void = row.state is EventState.VOID
    event = event_json(row.event, record_id=row.position, version=row.version, void=void)
    return CallNotice(row, call, left, encode_change(event, call_view, *left), encode_status(event, call))


def call_notices(rows: Sequence[EventRow], call: Call, call_view: bytes, left: Departure) -> Iterator[CallNotice]:
    """Of one call in one transaction. The queue that lost the call is told of it until it went on, and nothing of what
    came after: that is the next one's.
    """
    if not left.queue_id:
        return (call_notice(row, call, call_view, left) for row in rows)
    moves = [row.event.order for row in rows if isinstance(row.event.fact, Initiated | Transferred)]
    until, gone = min(moves, default=None), left._replace(queue_id=None)
    return (
        call_notice(row, call, call_view, left if until is None or row.event.order <= until else gone) for row in rows
    )


@fast_frozen
class TransactionNotices:
    """What one transaction has to tell the floor. `traces` are the traceparents of events that brought their own, and
    `left`, by agent, the queues out of which somebody took the agent, or by call, what no event says that it left. What
    is told again is the share of one `shard`. `moves` says which call moved which agent, who may be another's by now.
    """

    changes: Sequence[CallNotice] = ()
    agents: Sequence[AgentRecord] = ()
    transaction: int | None = None
    traceparent: str | None = None
    traces: Mapping[str, str] = field(default_factory=dict[str, str])
    left: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    shard: int | None = None
    moves: Sequence[tuple[str, str]] = ()
