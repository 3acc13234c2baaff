"""Every question of the API is answered by an index, and reads about as much as it answers, whatever the history."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.database import agent_time, connections, history, rebuild, rollups
from infra.errors import InfraError
from infra.local.postgres import Postgres
from infra.local.redis import Redis
from shared import wiring
from shared.adapters import clock
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.figures import rollups as rollups_kept
from shared.adapters.postgres.recording import statements
from shared.adapters.postgres.sweep import vitals
from tests.support.databases import copy_of
from tests.support.rest import Api, serving

CALLS = 6_000  # fewer than ten in an hour: with `every=10` none would have events
# A page of 50 and one more, from each of three months and what is live, a few times over: no list is walked to its end.
A_PAGES_WORTH = 1_500
NEVER_WHOLE = (
    "calls_20",
    "calls_other",
    "events_20",
    "events_other",
    "call_rollups",
    "agent_intervals_20",
    "agent_rollups",
)


def at(**ago: float) -> str:
    return (clock.now() - timedelta(**ago)).isoformat()


LISTS = [
    {},
    {"status": "ended"},
    {"status": "waiting,active,on_hold", "sort": "urgency"},
    {"queueId": "queue-03"},
    {"queueId": "queue-03,queue-30,queue-39"},
    {"agentId": "agent-0123"},
    {"agentId": "agent-0123,agent-0500"},
    {"queueId": ",".join(f"queue-{n:02}" for n in range(20))},
    {"queueId": "queue-03,queue-30,queue-39", "sort": "-wait"},
    {"agentId": "-"},
    {"language": "zh"},
    {"language": "zh,-"},
    {"type": "video"},
    {"type": "voice"},
    {"flag": "short_call"},
    {"flag": "rerouted"},
    {"flag": "hold_exceeded,short_call"},
    {"noFlag": "sla_breached"},
    {"endReason": "failed"},
    {"endReason": "abandoned,failed"},
    {"endReason": "completed"},
    {"answered": "false"},
    {"waited": "false"},
    {"held": "true"},
    {"missed": "true"},
    {"missedBy": "agent-0123"},
    {"missedBy": "agent-0123,agent-0500"},
    {"transferred": "true"},
    {"queueId": "queue-03", "flag": "sla_breached"},
    {"id": "20"},
    {"sort": "start"},
    {"sort": "wait"},
    {"sort": "-duration"},
]
OTHERS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("/api/calls", {"since": "here"}, {}),
    ("/api/calls/{call_id}", {}, {"call_id": "known"}),
    ("/api/calls/{call_id}/events", {}, {"call_id": "known"}),
    ("/api/dead-letters", {}, {}),
    ("/api/queues", {}, {}),
    ("/api/agents/{agent_id}", {}, {"agent_id": "agent-0001"}),
    ("/api/metrics", {}, {}),
    ("/api/metrics", {"groupBy": "queue", "bucket": "1h"}, {}),
    ("/api/metrics", {"groupBy": "agent"}, {}),
    ("/api/metrics", {"agentId": "agent-0123,agent-0500"}, {}),
    ("/api/metrics", {"agentId": "agent-0012", "bucket": "5m"}, {}),
    ("/api/metrics", {"from": at(days=40), "to": at(days=3, seconds=7), "groupBy": "agent"}, {}),
]
# Thirty agents through three months; the last of their spans go on.
TIME = """
select make_agent_month(now() - n * interval '30 days') from generate_series(0, 3) n;
insert into agent_intervals
select 'agent-' || to_char(n, 'FM0000'), s,
    case when s + interval '50 minutes' < now() then s + interval '50 minutes' end,
    false, 'r' || s, 0, 'available', 1, (array['available', 'on_call', 'wrap_up'])[1 + n % 3],
    '{"reported": "available", "claims": [], "misses": 0}'
from generate_series(0, 29) n, generate_series(now() - interval '85 days', now(), '5 hours') s
"""


@pytest.fixture(scope="module")
def past(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """The address of a database with three months of calls, for all tests that only read it: it takes long to make."""
    with copy_of(postgres_server, template_database) as url:
        history.generate(url, history.Past(CALLS, 3, every=2), clock.now())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TIME)
            with closing(connections.database(url)) as database:
                for month in agent_time.months(database):
                    agent_time.rebuild(database, month)
            connection.execute("vacuum analyze")
        yield url


@pytest.fixture
def past_api(past: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with serving(past, redis_server.url, monkeypatch) as api:
        yield api


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, Any]]]:
    """What is sent to the database, statement and parameters."""
    sent: list[tuple[Any, Any]] = []
    original = psycopg.Cursor.execute

    def remembering(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        sent.append((query, params))
        return original(self, query, params, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", remembering)
    yield sent
    wiring.reading_database().close()


def test_every_read_is_served_by_an_index(past_api: Api, past: str, asked: list[tuple[Any, Any]]) -> None:
    api = past_api
    with psycopg.connect(past) as connection:
        (known,) = connection.execute("select call_id from events limit 1").fetchone() or ("",)
    questions = [("/api/calls", query, {}) for query in LISTS]
    here = str(api.call("GET", "/api/calls")[1]["position"])
    questions += [(resource, {k: here if v == "here" else v for k, v in query.items()},
                   {k: known if v == "known" else v for k, v in path.items()})
                  for resource, query, path in OTHERS]  # fmt: skip
    with closing(Database(past)) as database:
        for resource, query, path in questions:
            _ask(api, database.connection(), asked, resource, query, path)
        for query in LISTS:
            page = api.call("GET", "/api/calls", query=query)[1]
            if page["nextCursor"]:
                _ask(api, database.connection(), asked, "/api/calls", query | {"cursor": page["nextCursor"]}, {})


def _ask(api: Api, plans: Any, asked: list[tuple[Any, Any]], resource: str, query: Any, path: Any) -> None:
    asked.clear()
    status, answer, _ = api.call("GET", resource, query=query, **path)
    assert status in (200, 304), answer
    for statement, parameters in list(asked):
        for table, kind, read in _explained(plans, statement, parameters):
            assert not _is_whole(table, kind, read), (resource, query, table)
            if resource == "/api/calls":
                assert read <= A_PAGES_WORTH, (resource, query, table, kind, read)


def _explained(plans: Any, statement: str | sql.Composed, parameters: Any) -> Iterator[tuple[str, str, float]]:
    """What is read of each table, and how. The statement is executed."""
    text = statement if isinstance(statement, str) else statement.as_string()
    (text,) = plans.execute("explain (analyze, timing off, format json) " + text, parameters).fetchone()
    for node in _nodes((json.loads(text) if isinstance(text, str) else text)[0]["Plan"]):
        yield node.get("Relation Name", ""), node["Node Type"], _read(node)


def _is_whole(table: str, kind: str, read: float) -> bool:
    return kind == "Seq Scan" and table.startswith(NEVER_WHOLE) and read > 0


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _read(node: dict[str, Any]) -> float:
    if "Relation Name" not in node:
        return 0
    passed_over = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + passed_over) * node["Actual Loops"]


def test_a_late_event_of_an_old_call_scans_no_partition(past: str) -> None:
    """All that is asked: the call, its log, ids used before, and the sums that it leaves and comes back to."""
    with psycopg.connect(past, autocommit=True) as connection:
        (known,) = connection.execute("select call_id from events order by at limit 1").fetchone() or ("",)
        ids = {"ids": [known], "calls": [known], "since": clock.now()}
        steps: list[tuple[Any, Any]] = [
            (statements.UNARCHIVE_CALLS, [[known]]), (statements.KNOWN_EVENTS, ids), (statements.LOGS, ids),
            *rollups_kept.removed([known]), (statements.ARCHIVE, [[known]]), *rollups_kept.added([known]),
        ]  # fmt: skip
        with connection.transaction(force_rollback=True):
            for statement, parameters in steps:
                for table, kind, read in _explained(connection, statement, parameters):
                    assert not _is_whole(table, kind, read), (statement, table)
                    assert read <= A_PAGES_WORTH, (statement, table, kind, read)


def test_finding_waiting_calls_reads_only_heads_of_queues(database_url: str) -> None:
    """Of 6,000 some wait for telephony, some for a language that no free agent speaks, and some can be taken."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into calls (id, status, queue_id, language, initiated_at, seeks)"
            " select 'call-' || n, 'waiting', 'medical_spanish', case n % 3 when 0 then 'zh' end,"
            " now() - make_interval(secs => n), case when n % 3 < 2 then 'any' end from generate_series(1, 6000) n"
        )
        connection.execute(
            "insert into agents (id, name, queues, languages, status, status_since)"
            " values ('ana', 'a', '{medical_spanish}', '{es}', 'available', now())"
        )
        connection.execute("vacuum analyze")
        asked = {"now": clock.now(), "queues": None, "limit": 10}
        steps = list(_explained(connection, statements.WAITING_CALLS, asked))
    assert 10 <= sum(read for table, _, read in steps if table == "calls_live") <= 100


def test_the_lag_of_agent_time_is_read_without_the_log(database_url: str) -> None:
    history.generate(database_url, history.Past(6_000, 3, every=1), clock.now())
    with psycopg.connect(database_url, autocommit=True) as connection, closing(Database(database_url)) as database:
        assert vitals.read_vitals(database).agent_time_lag == 20_000  # and more
        connection.execute("vacuum analyze")
        connection.execute("update agent_time_progress set through = horizon_position()")
        for table, kind, read in _explained(connection, vitals.UNFOLLOWED, None):
            assert not _is_whole(table, kind, read), (table, kind, read)
            assert read <= A_PAGES_WORTH, (table, kind, read)
        assert vitals.read_vitals(database).agent_time_lag == 0


def test_generated_history_matches_its_events_and_rollups(database_url: str) -> None:
    history.generate(database_url, history.Past(600, 2, every=1), clock.now())
    assert [found for _, differing in rebuild.compare(database_url) for found in differing] == []
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from calls").fetchone() == (600,)
        assert [found for _, found in rollups.compare(connection)] == [0, 0]


def test_a_made_up_past_is_of_no_database_that_has_calls(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into calls (id, status, queue_id, initiated_at) values ('a', 'ended', 'q', now())")
        with pytest.raises(InfraError, match="has calls"):
            history.generate(database_url, history.Past(10, 1), clock.now())
        assert connection.execute("select count(*) from calls").fetchone() == (1,)
