"""Each package has a database role of its own: it can do its work with it, and nothing else."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from infra.database import migrate
from infra.database.roles import PACKAGES, make_roles, next_users, urls_of
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.feed.leases import PostgresLeases
from shared.adapters.postgres.feed.relay_store import PostgresRelayStore
from shared.adapters.postgres.feed.subscriptions import PostgresRegistry
from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.dead_letters import PostgresDeadLetters
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.adapters.postgres.sweep.vitals import read_vitals
from shared.contracts.setup import AgentSetup, QueueSetup, parse_setup
from shared.usecases.access import Principal
from shared.usecases.feed.subscriptions import Listener
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.harness import Harness


@pytest.fixture
def urls(database_url: str) -> dict[str, str]:
    users = next_users({})
    make_roles(database_url, users)
    return urls_of(database_url, users)


@pytest.fixture
def databases(urls) -> Iterator[dict[str, Database]]:
    opened = {package: Database(url) for package, url in urls.items()}
    yield opened
    for database in opened.values():
        database.close()


@pytest.fixture
def harnesses(urls, clock) -> Iterator[Callable[[str], Harness]]:
    made: list[Harness] = []

    def harness(package: str) -> Harness:
        made.append(Harness(urls[package], clock))
        return made[-1]

    yield harness
    for each in made:
        each.database.close()


# A package, and what must fail with its role though its function be taken over.
FORBIDDEN = [
    ("ingest", "delete from events"),
    ("ingest", "delete from queues"),
    ("ingest", "delete from connections"),
    ("ingest", "select make_month('calls', now())"),
    ("query", "insert into queues (id, name) values ('a', 'a')"),
    ("query", "update calls set status = 'ended'"),
    ("query", "select * from connections"),
    ("timers", "delete from events"),
    ("timers", "update queues set sla_seconds = 1"),
    ("timers", "insert into subscriptions (topic, connection_id) values ('ops', 'a')"),
    ("broadcast", "update calls set status = 'ended'"),
    ("broadcast", "insert into events (id) values ('a')"),
    ("broadcast", "update agents set status = 'away'"),
    ("broadcast", "delete from timers"),
]  # fmt: skip


@pytest.mark.parametrize(("package", "statement"), FORBIDDEN)
def test_a_role_cannot_do_another_ones_work(databases, package, statement):
    with pytest.raises(InsufficientPrivilege):
        databases[package].connection().execute(statement)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "statement",
    ["create table mine (id int)", "drop table calls", "truncate events", "alter table calls add column a int",
     "update schema_migrations set checksum = ''", "create role me"],
)  # fmt: skip
def test_no_role_can_change_the_schema(databases, package, statement):
    with pytest.raises(InsufficientPrivilege):
        databases[package].connection().execute(statement)


def test_the_reading_role_cannot_write_though_it_says_it_can(urls):
    database = Database(urls["query"], read_only=True)
    with pytest.raises(ReadOnlySqlTransaction):
        database.connection().execute("delete from calls")
    database.connection().execute("set default_transaction_read_only = off")
    with pytest.raises(InsufficientPrivilege):
        database.connection().execute("delete from calls")
    database.close()


def test_events_come_in_and_promises_are_kept(harnesses, clock):
    ingest, timers = harnesses("ingest"), harnesses("timers")
    put_queue(ingest)
    life = {"event": "call_initiated", "queueId": "medical_spanish", "type": "voice", "callId": "call-1"}
    available = [
        {"event": "agent_status_changed", "agentId": name, "status": "available"} for name in ("ann", "interpreter-01")
    ]
    assert {result.status for result in ingest.send(*available, life)} == {201}
    clock.go_to(40)
    assert timers.sweep() > 0
    timers.offer_waiting()
    assert ingest.one("call_ended", endReason="abandoned", duration=40).status == 201
    clock.go_to(ARCHIVE_AFTER.total_seconds() + 300)
    timers.sweep()
    assert archive_calls(timers.services.transactions, clock.now()) == 1
    assert ingest.one("call_hold", holdDuration=5, occurredAt="2026-01-31T12:00:41Z").status in (202, 409)
    upkeep = PostgresHousekeeping(timers.database, "this-one", lambda: None, keep_months=1)
    upkeep.beat(clock.now())
    upkeep.tidy(clock.now())
    assert upkeep.take_overdue(clock.now())
    upkeep.resign(clock.now())
    for database in (ingest.database, timers.database):
        assert read_vitals(database).dead_letters == 0
        assert PostgresDeadLetters(database).count(clock.now()) == 0


def put_queue(harness: Harness) -> None:
    setup = parse_setup(QueueSetup, {"name": "Billing", "routing": "switchboard"})
    assert PostgresAgents(harness.database).put_queue("billing", setup).id == "billing"
    agent = parse_setup(AgentSetup, {"name": "Ann", "queues": ["billing"]})
    harness.set_up_agent("ann", agent)


def test_readers_read(databases, harnesses):
    harnesses("ingest").one("call_initiated", queueId="medical_spanish", type="voice")
    query = databases["query"]
    reads = PostgresReads(query)
    assert reads.call("call-1") and reads.events("call-1", None, 10)
    assert reads.queues() and reads.agents()
    assert PostgresChanges(query).since(0, None, 10)
    assert PostgresDeadLetters(query).page(None, None, 10) == []


def test_broadcast_can_serve_its_listeners(urls, databases, harnesses):
    harnesses("ingest").one("call_initiated", queueId="medical_spanish", type="voice")
    registry = PostgresRegistry(databases["broadcast"])
    principal = Principal("admin", frozenset({"*"}), 2_000_000_000)
    registry.add(Listener("c", principal, datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)))
    registry.subscribe("c", ["queue:medical_spanish"])
    assert registry.find("c") and registry.position()
    assert PostgresLeases(databases["broadcast"]).vacant([0]) == [0]
    asyncio.run(relay(urls["broadcast"]))
    registry.unsubscribe("c", ["queue:medical_spanish"])
    registry.remove("c")


async def relay(url: str) -> None:
    harness = PostgresRelayStore(url)
    assert await harness.acquire(10, None) and await harness.renew(10)
    assert (await harness.subscribers(["queue:medical_spanish"])).groups
    (news,) = await harness.pending((0, 0), 10)
    assert await harness.ack([news.outbox_id])
    assert await harness.pending((0, 0), 10) == []
    await harness.remove("unknown")
    await harness.release()
    await harness.close()


def test_a_rotation_keeps_sessions_that_are_in_use(database_url):
    first = next_users({})
    make_roles(database_url, first)
    second = next_users(urls_of(database_url, first))
    make_roles(database_url, second)
    for users in (first, second):
        with psycopg.connect(urls_of(database_url, users)["query"]) as connection:
            assert connection.execute("select current_user").fetchone() == (users["query"][0],)
    assert next_users(urls_of(database_url, second))["query"][0] == first["query"][0]


@pytest.mark.usefixtures("urls")
def test_each_migrate_repeats_the_grants(database_url):
    """What is no longer written in grants.sql is no longer granted: each run begins from nothing."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("grant delete on events to switchboard_query")
        migrate.migrate(database_url)
        granted = connection.execute("select has_table_privilege('switchboard_query', 'events', 'delete')").fetchone()
        assert granted == (False,)
