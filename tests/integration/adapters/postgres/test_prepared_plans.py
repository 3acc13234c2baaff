"""A plan is kept as long as its connection: one that was made while hardly anything was on record stays right."""

from datetime import timedelta

import psycopg

from tests.support.clock import Clock
from tests.support.harness import Harness

ROWS = 6_000
FILLED = """
insert into calls (id, status, queue_id, initiated_at)
select 'filler-' || n, 'waiting', 'medical_french', %(now)s from generate_series(1, %(rows)s) n;
insert into timers (call_id, kind, due_at)
select 'filler-' || n, 'sla_wait', %(now)s::timestamptz + interval '1 day' from generate_series(1, %(rows)s) n;
insert into agents (id, name, status, status_since)
select 'filler-' || n, 'a', 'offline', %(now)s from generate_series(1, %(rows)s) n;
insert into events (id, call_id, name, data, at, received_at, dated, source, fingerprint, state)
select 'filler-' || n, 'filler-' || n, 'call_initiated', '{}', %(now)s, %(now)s, false, 'telephony', '', 'applied'
from generate_series(1, %(rows)s) n
"""
READ_IN_FULL = """
select relname, seq_tup_read from pg_stat_user_tables where relname in ('calls_live', 'timers', 'agents')
union all
select 'events', sum(seq_tup_read)::bigint from pg_stat_user_tables where relname like 'events%'
"""


def live(harness: Harness, clock: Clock, name: str) -> None:
    """All that a recorder and a sweep ask: routes, misses, holds, a late event, copies, an agent claimed and let go."""
    call = {"call_id": name, "eventId": f"{name}-1", "type": "voice", "queueId": "medical_spanish"}
    for _ in range(2):
        harness.one("call_initiated", **call)
    harness.one("call_routed", name, agentId=f"{name}-missed", routingTime=1)
    clock.go_to((clock.now() - clock.at(0)).total_seconds() + 16)
    harness.sweep()
    harness.offer_waiting()
    harness.one("call_answered", name, waitTime=2, agentId=f"{name}-agent", eventId=f"{name}-2")
    harness.one("call_hold", name, holdDuration=0)
    harness.one("call_resumed", name, occurredAt=(clock.now() - timedelta(seconds=1)).isoformat())
    harness.one("call_ended", name, endReason="completed", duration=9)


def read_in_full(harness: Harness, connection: psycopg.Connection[tuple[str, int]]) -> dict[str, int]:
    harness.database.connection().execute("select pg_stat_force_next_flush()")
    return dict(connection.execute(READ_IN_FULL).fetchall())


def test_plans_made_on_empty_tables_use_indexes_on_full_ones(harness: Harness, database_url: str, clock: Clock) -> None:
    for n in range(8):  # Postgres makes up its mind after five
        live(harness, clock, f"empty-{n}")
    with psycopg.connect(database_url, autocommit=True) as connection:
        psycopg.ClientCursor(connection).execute(FILLED, {"now": clock.now(), "rows": ROWS})
        before = read_in_full(harness, connection)
        live(harness, clock, "full")
        after = read_in_full(harness, connection)
    assert harness.call("full")["status"] == "ended"
    for table, rows in after.items():
        assert rows - before[table] < ROWS, f"{table} was read whole"
