"""The outbox: a row for what one transaction tells one relay, and the row read back as what was published."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.columns import array_text
from shared.contracts.feed import Change, Published
from shared.contracts.views import CallView
from shared.contracts.views_json import encode_call
from shared.domain.call import Call
from shared.usecases.feed.sharding import split_by_shard
from shared.usecases.recording.notices import CallNotice, TransactionNotices, call_notices
from shared.usecases.recording.ports import Departure, OutboxEntry

Row = Mapping[str, Any]

REPUBLISH_AFTER = timedelta(seconds=3)  # what the relay has not cleared by then is published again

TELL = """
insert into outbox (shard, calls, agents, moved, next_attempt_at, traceparent, traces)
values (%s, %s, %s, %s, %s, %s, %s)
"""

# What was recorded with these rows, as it stands now: at least as new as when they were written. An event that was told
# anew since, because it turned void, belongs to the row of the transaction that did so.
EVENTS = """
select e.* from events e
where e.txid = any(%(txids)s) and e.call_id = any(%(calls)s) and e.state in ('applied', 'void') order by e.position
"""
CALLS = "select * from calls where id = any(%(calls)s) and status is not null"
AGENTS = "select * from agents where id = any(%(agents)s)"
CONTENTS: tuple[LiteralString, ...] = (EVENTS, CALLS, AGENTS)


def tell(
    outbox_entry: OutboxEntry, moves: Iterable[tuple[str, str]], now: datetime, shards: int
) -> Iterator[tuple[LiteralString, Any]]:
    """The rows to write, a shard each. Agents are named where something was tried: one told in vain is no harm."""
    queues = {call_id: told.queue_id for call_id, told in outbox_entry.told.items()}
    traces = outbox_entry.traceparent, Jsonb(outbox_entry.traces) if outbox_entry.traces else None
    for shard, share in split_by_shard(queues, moves, shards).items():
        moved = {call_id: left for call_id in share.calls if any(left := outbox_entry.told[call_id].left)}
        calls, agents = array_text(share.calls), array_text(share.agents)
        yield TELL, [shard, calls, agents, Jsonb(moved) if moved else None, now + REPUBLISH_AFTER, *traces]


def asked(rows: Sequence[Row]) -> dict[str, Any]:
    """The parameters of `CONTENTS`."""
    return {
        "txids": [row["txid"] for row in rows],
        "calls": [call_id for row in rows for call_id in row["calls"]],
        "agents": [agent_id for row in rows for agent_id in row["agents"]],
    }


def news(
    rows: Sequence[Row], events: Iterable[Row], calls: Iterable[Row], agents: Iterable[Row]
) -> list[TransactionNotices]:
    """Of each row what it has to tell."""
    calls_by_id = {row["id"]: row_mapping.call_from_row(row) for row in calls}
    agents_by_id = {row["id"]: row_mapping.agent_from_row(row) for row in agents}
    events_of: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in events:
        events_of[row["txid"], row["call_id"]].append(row)
    return [
        TransactionNotices(
            [
                told
                for call_id in row["calls"]
                if call_id in calls_by_id
                for told in _announcements(events_of[row["txid"], call_id], calls_by_id[call_id], row)
            ],
            [agents_by_id[agent_id] for agent_id in row["agents"] if agent_id in agents_by_id],
            row["txid"],
            row["traceparent"],
            row["traces"] or {},
            _left(row, events_of),
            row["shard"],
        )
        for row in rows
    ]


def _announcements(events: Sequence[Row], call: Call, row: Row) -> Iterator[CallNotice]:
    left = Departure(*_moved(row).get(call.id, ()))
    return call_notices([row_mapping.event_from_row(event) for event in events], call, encode_call(call), left)


def _left(row: Row, events_of: Mapping[tuple[int, str], Sequence[Row]]) -> Mapping[str, Sequence[str]]:
    """Where all of a call's events have been told anew or given up since, no event says any more what queue it left."""
    if not row["calls"]:
        return _moved(row)
    lefts = {call_id: Departure(*left) for call_id, left in _moved(row).items() if not events_of[row["txid"], call_id]}
    return {call_id: [left.queue_id] for call_id, left in lefts.items() if left.queue_id}


def _moved(row: Row) -> Mapping[str, Sequence[Any]]:
    """By the calls of the row; by its agents where it has none."""
    return row["moved"] or {}


def published(news: TransactionNotices) -> Published:
    """As whoever listens would have heard it."""
    return Published.model_construct(
        transaction=news.transaction,
        shard=news.shard,
        changes=[
            Change.model_construct(
                event=row_mapping.event_view(told.row),
                call=CallView.of(told.call),
                previous_queue_id=told.left.queue_id,
                previous_agent_id=told.left.agent_id,
                was_flagged=told.left.flagged,
            )
            for told in news.changes
        ],
        agents=[row_mapping.agent_view(agent) for agent in news.agents],
        traceparent=news.traceparent,
        traces=news.traces,
        left=news.left,
    )
