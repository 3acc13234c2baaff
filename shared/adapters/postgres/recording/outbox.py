"""Writes outbox rows, one per transaction and relay shard, and reads them back as messages."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.columns import array_text
from shared.contracts.feed import Change, OutboxMessage
from shared.contracts.views import CallView
from shared.contracts.views_json import encode_call
from shared.domain.call import Call
from shared.usecases.feed.sharding import split_by_shard
from shared.usecases.recording.notices import CallNotice, TransactionNotices, call_notices
from shared.usecases.recording.ports import Departure, OutboxEntry

Row = Mapping[str, Any]

REPUBLISH_AFTER = timedelta(seconds=3)  # a row that the relay has not acknowledged by then is published again

INSERT_ROW = """
insert into outbox (shard, calls, agents, moved, next_attempt_at, traceparent, traces)
values (%s, %s, %s, %s, %s, %s, %s)
"""

# The contents of outbox rows, as they are now: at least as new as when the rows were written. An event that changed
# again since, because it became void, belongs to the row of that transaction. Calls are read last: a call's queue
# decides who may see its events and its agent, so it must not be older than these.
EVENTS = """
select e.* from events e
where e.txid = any(%(txids)s) and e.call_id = any(%(calls)s) and e.state in ('applied', 'void') order by e.position
"""
CALLS = "select * from calls where id = any(%(calls)s) and status is not null"
AGENTS = "select * from agents where id = any(%(agents)s)"
CONTENTS: tuple[LiteralString, ...] = (EVENTS, AGENTS, CALLS)


def insert_rows(
    outbox_entry: OutboxEntry, moves: Iterable[tuple[str, str]], now: datetime, shards: int
) -> Iterator[tuple[LiteralString, Any]]:
    """The statements that write the rows of a transaction. They name all agents that it may have changed."""
    queues = {call_id: call.queue_id for call_id, call in outbox_entry.calls.items()}
    traces = outbox_entry.traceparent, Jsonb(outbox_entry.traces) if outbox_entry.traces else None
    for shard, share in split_by_shard(queues, moves, shards).items():
        moved = {
            call_id: departure for call_id in share.calls if any(departure := outbox_entry.calls[call_id].departure)
        }
        calls, agents = array_text(share.calls), array_text(share.agents)
        yield INSERT_ROW, [shard, calls, agents, Jsonb(moved) if moved else None, now + REPUBLISH_AFTER, *traces]


def content_parameters(rows: Sequence[Row]) -> dict[str, Any]:
    """The parameters of `CONTENTS`."""
    return {
        "txids": [row["txid"] for row in rows],
        "calls": [call_id for row in rows for call_id in row["calls"]],
        "agents": [agent_id for row in rows for agent_id in row["agents"]],
    }


def notices_of(
    rows: Sequence[Row], events: Iterable[Row], agents: Iterable[Row], calls: Iterable[Row]
) -> list[TransactionNotices]:
    """The message of each row."""
    calls_by_id = {row["id"]: row_mapping.call_from_row(row) for row in calls}
    agents_by_id = {row["id"]: row_mapping.agent_from_row(row) for row in agents}
    events_of: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in events:
        events_of[row["txid"], row["call_id"]].append(row)
    return [
        TransactionNotices(
            [
                notice
                for call_id in row["calls"]
                if call_id in calls_by_id
                for notice in _call_notices(events_of[row["txid"], call_id], calls_by_id[call_id], row)
            ],
            [agents_by_id[agent_id] for agent_id in row["agents"] if agent_id in agents_by_id],
            row["txid"],
            row["traceparent"],
            row["traces"] or {},
            _left_queues(row, events_of),
            row["shard"],
        )
        for row in rows
    ]


def _call_notices(events: Sequence[Row], call: Call, row: Row) -> Iterator[CallNotice]:
    departure = Departure(*_moved(row).get(call.id, ()))
    return call_notices([row_mapping.event_from_row(event) for event in events], call, encode_call(call), departure)


def _left_queues(row: Row, events_of: Mapping[tuple[int, str], Sequence[Row]]) -> Mapping[str, Sequence[str]]:
    """Queues that calls left, if all events of the call belong to a later row or are dead: no event names the queue."""
    if not row["calls"]:
        return _moved(row)
    departures = {
        call_id: Departure(*departure)
        for call_id, departure in _moved(row).items()
        if not events_of[row["txid"], call_id]
    }
    return {call_id: [departure.queue_id] for call_id, departure in departures.items() if departure.queue_id}


def _moved(row: Row) -> Mapping[str, Sequence[Any]]:
    """By the calls of the row, or by its agents if it has no calls."""
    return row["moved"] or {}


def published(notices: TransactionNotices) -> OutboxMessage:
    """The message as the relay publishes it."""
    return OutboxMessage.model_construct(
        transaction=notices.transaction,
        shard=notices.shard,
        changes=[
            Change.model_construct(
                event=row_mapping.event_view(notice.row),
                call=CallView.of(notice.call),
                previous_queue_id=notice.departure.queue_id,
                previous_agent_id=notice.departure.agent_id,
                was_flagged=notice.departure.flagged,
            )
            for notice in notices.calls
        ],
        agents=[row_mapping.agent_view(agent) for agent in notices.agents],
        traceparent=notices.traceparent,
        traces=notices.traces,
        left=notices.left_queues,
    )
