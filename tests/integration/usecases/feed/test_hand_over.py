"""A shard passes from relay to relay: planned, by a kill, or unknown to the old one. No update is lost."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from shared.adapters import clock
from shared.adapters.postgres.feed.leases import PostgresLeases
from shared.adapters.postgres.feed.relay_store import PostgresRelayStore
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.adapters.redis.publisher import RedisPublisher
from shared.usecases.feed import lease
from shared.usecases.feed.lease import LEASE_SECONDS, find_vacancies
from shared.usecases.recording.notices import TransactionNotices
from tests.support.calls import initiated, routed
from tests.support.stage import WAIT_SECONDS, Stage

pytestmark = pytest.mark.anyio

RIVALS, ROUNDS = 8, 20
HAND_OVERS = 22
SHARDS = 3
ENGLISH, SPANISH = 0, 1  # their shards of three


async def ended(task: asyncio.Task) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        await task


def hold_channel(running) -> asyncio.Event:
    """Its relay hears nothing until this is set, as with a Redis that is slow to let it in."""
    may_listen, listen = asyncio.Event(), running.relay._channel.listen

    @asynccontextmanager
    async def held():
        await may_listen.wait()
        async with listen() as messages:
            yield messages

    running.relay._channel.listen = held
    return may_listen


async def test_the_old_relay_tells_until_the_new_one_listens(stage: Stage):
    stage.listen("c", "queue:spanish")
    async with stage.relay(seconds=0) as older:
        await older.ready()
        fence = await stage.called.get()
        assert fence == older.relay_store.fence
        async with stage.relay(after=fence) as younger:
            may_listen = hold_channel(younger)
            before = await stage.begin("before")
            await older.relay_store.until_cleared(before)
            assert not younger.relay_store.fence
            may_listen.set()
            await ended(older.task)
            assert (younger.relay_store.fence or 0) > fence
            after = await stage.begin("after")
            await younger.relay_store.until_cleared(after)
    assert set(stage.gateway.events("c")) == {before, after}


async def test_more_than_twenty_hand_overs_lose_no_update(stage: Stage):
    """Each relay runs for a moment only. Events are sent all the while, so that some fall into each hand-over."""
    stage.listen("c", "queue:spanish")
    sent: list[str] = []
    done = asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            sent.append(await stage.begin(f"call-{len(sent)}"))

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        async with AsyncExitStack() as relays:
            older = await relays.enter_async_context(stage.relay(seconds=0.05))
            fences: list[int] = []
            for _ in range(HAND_OVERS):
                fences.append(await stage.called.get())
                younger = await relays.enter_async_context(stage.relay(seconds=0.05, after=fences[-1]))
                await ended(older.task)
                older = younger
            done.set()
            await stage.gateway.until(lambda: set(stage.gateway.events("c")) >= set(sent))
    assert fences == sorted(set(fences)), "each relay has asked for a successor once"
    assert len(sent) > HAND_OVERS


async def test_the_new_relay_sends_what_the_old_one_left(stage: Stage):
    stage.listen("slow", "queue:spanish")
    held = stage.gateway.held["slow"] = asyncio.Event()
    async with stage.relay() as older:
        await older.ready()
        first = await stage.begin("c1")
        await stage.gateway.until(lambda: stage.gateway.asked["slow"] == 1)
        async with stage.relay(after=older.relay_store.fence) as younger:
            await stage.gateway.until(lambda: stage.gateway.asked["slow"] == 2)
            await ended(older.task)  # it gives the post a while, then leaves it
            assert stage.owed() == {first}
            held.set()
            await younger.relay_store.until_cleared(first)
    assert set(stage.gateway.events("slow")) == {first}


async def test_without_a_channel_a_successor_takes_over_all_the_same(stage: Stage, redis_server):
    stage.listen("c", "queue:spanish")
    async with stage.relay() as older:
        await older.ready()
        redis_server.stop()
        async with stage.relay(after=older.relay_store.fence) as younger:
            await ended(older.task)
            before = stage.registry.position()
            event = await stage.begin("c1")
            await younger.relay_store.until_cleared(event)
            assert stage.registry.position() > before  # snapshots do not stand still in this time
    assert event in stage.gateway.events("c")


async def test_a_missing_successor_is_woken_again_and_the_lease_ends(stage: Stage, monkeypatch):
    monkeypatch.setattr(lease, "WAKE_TIMEOUT_SECONDS", 0.01)

    async with stage.relay(seconds=0) as lonely:
        await ended(lonely.task)
    assert [stage.called.get_nowait() for _ in range(lease.WAKE_ATTEMPTS)] == [
        lonely.relay_store.fence
    ] * lease.WAKE_ATTEMPTS
    assert PostgresLeases(stage.database).vacant([0]) == [0]


async def test_a_relay_without_the_lease_leaves_the_shard_alone(stage: Stage):
    async with stage.relay() as holder:
        await holder.ready()
        for after in (None, (holder.relay_store.fence or 0) - 1):
            async with stage.relay(after=after) as uncalled:
                await ended(uncalled.task)
                assert not uncalled.relay_store.drained.is_set()
        assert await holder.relay_store.renew(LEASE_SECONDS)


async def test_after_a_kill_another_relay_takes_over_within_the_lease(stage: Stage):
    stage.listen("c", "queue:spanish")
    leases = PostgresLeases(stage.database)
    passed = timedelta()

    def sleep(seconds: float) -> None:  # time goes by on the lease, and nowhere else
        nonlocal passed
        passed += timedelta(seconds=seconds)
        stage.database.connection().execute(
            "update leases set expires_at = expires_at - make_interval(secs => %s)", [seconds]
        )

    async with stage.relay(leaves_lease=True) as killed:
        await killed.ready()
        killed.relay_store.may_clear.clear()
        event = await stage.begin("c1")
        await stage.gateway.until(lambda: stage.gateway.events("c"))
    assert leases.vacant([0]) == []
    assert find_vacancies(lambda: leases.vacant([0]), sleep) == [0]
    assert passed <= timedelta(seconds=LEASE_SECONDS)
    async with stage.relay() as another:
        await another.relay_store.until_cleared(event)


async def test_a_live_lease_cannot_be_taken(stage: Stage):
    async with stage.relay() as holder:
        await holder.ready()
        looks: list[float] = []
        leases = PostgresLeases(stage.database)
        assert find_vacancies(lambda: leases.vacant([0]), looks.append) == ()
        assert sum(looks) >= LEASE_SECONDS


async def test_a_replaced_relay_removes_nothing_and_stops(stage: Stage):
    stage.listen("c", "queue:spanish")
    async with stage.relay() as stale:
        await stale.ready()
        stale.relay_store.may_renew.clear()
        async with stage.relay(after=stale.relay_store.fence) as killed:
            await killed.ready()
        event = await stage.begin("c1")
        await ended(stale.task)  # its acknowledgement showed that it was replaced
    assert stage.gateway.events("c") == [event]
    assert stage.owed() == {event}


@pytest.mark.parametrize("is_called", [False, True], ids=["vacant", "called for"])
async def test_one_of_many_takes_a_lease_and_tokens_never_repeat(stage: Stage, is_called):
    async with AsyncExitStack() as stack:
        rivals = [PostgresRelayStore(stage.postgres_url) for _ in range(RIVALS)]
        for rival in rivals:
            stack.push_async_callback(rival.close)
        holder = 0
        for _ in range(ROUNDS):
            if not is_called:
                stage.expire_leases()
            after = holder if is_called else None
            got = [fence for fence in await asyncio.gather(*(r.acquire(60, after) for r in rivals)) if fence]
            assert len(got) == 1
            assert got[0] > holder
            (holder,) = got


async def test_each_queue_is_served_by_the_relay_of_its_shard(stage: Stage):
    stage.ingest = stage.ingest_on(stage.database, SHARDS)
    stage.listen("c", "queue:spanish", "queue:english")
    async with (
        stage.relay(shard=ENGLISH, shards=SHARDS) as english,
        stage.relay(shard=SPANISH, shards=SHARDS) as other,
    ):
        await english.ready()
        await other.ready()
        in_one = await stage.send(initiated("e", "english"), initiated("s", "spanish"))
        for running in (english, other):
            await running.relay_store.until_cleared(*in_one)
        assert (english.relay.events, other.relay.events) == (1, 1)
    assert set(stage.gateway.events("c")) == set(in_one)
    assert stage.owed() == set()


async def test_the_other_shards_go_on_where_one_has_no_relay(stage: Stage):
    stage.ingest = stage.ingest_on(stage.database, SHARDS)
    stage.listen("c", "queue:spanish", "queue:english")
    leases = PostgresLeases(stage.database)
    async with stage.relay(shard=ENGLISH, shards=SHARDS) as running:
        await running.ready()
        sent, waits = await stage.begin("e", "english"), await stage.begin("s", "spanish")
        await running.relay_store.until_cleared(sent)
        assert stage.owed() == {waits}
        assert stage.woken == [SPANISH]
        assert leases.vacant([ENGLISH, SPANISH]) == [SPANISH]
        async with stage.relay(shard=SPANISH, shards=SHARDS) as other:
            await other.relay_store.until_cleared(waits)
            assert leases.vacant([ENGLISH, SPANISH]) == []


async def test_messages_of_a_removed_shard_are_still_sent(stage: Stage):
    stage.listen("c", "queue:spanish")
    stage.ingest = stage.ingest_on(stage.database, SHARDS)
    event = await stage.begin("c1")
    async with stage.relay(shard=0, shards=1) as running:
        await running.relay_store.until_cleared(event)
    assert stage.gateway.events("c") == [event]


async def test_a_relay_sends_all_its_shares_of_a_transaction(stage: Stage):
    """It finds them in the outbox when there are fewer relays than there were."""
    stage.listen("c", "queue:spanish", "queue:english")
    stage.ingest = stage.ingest_on(stage.database, SHARDS)
    await stage.send(initiated("e", "english"), initiated("s", "spanish"))
    async with stage.relay(shard=0, shards=1):
        await stage.gateway.until(lambda: stage.gateway.calls("c") == {"e": 1, "s": 1})


async def test_a_freed_agent_is_sent_by_the_responsible_relay(stage: Stage):
    """The agent's report during the offer ends the offer before it is sent."""
    stage.listen("c", "queue:spanish")
    stage.ingest = stage.ingest_on(stage.database, SHARDS)
    stage.database.connection().execute(
        "insert into agents (id, name, queues, status, status_since)"
        " values ('ana', 'Ana', '{spanish}', 'available', now() - interval '1h')"
    )
    await stage.send(initiated("s"), routed("s"))
    async with stage.relay(shard=SPANISH, shards=SHARDS) as running:
        await running.ready()
        leaving = {"event": "agent_status_changed", "agentId": "ana", "status": "away"}
        await asyncio.to_thread(stage.ingest.submit, [leaving])
        sent = stage.gateway.frames["c"]
        await stage.gateway.until(lambda: any(agent["status"] == "away" for frame in sent for agent in frame["agents"]))


class Unheard:
    """A publisher that publishes nothing."""

    def publish(self, notices: Sequence[TransactionNotices]) -> None: ...

    def shards_without_relay(self) -> set[int]:
        return set()


@pytest.mark.parametrize(
    ("before", "after", "is_heard"),
    [
        pytest.param(SHARDS, 1, True, id="fewer, and one share was heard"),
        pytest.param(SHARDS, 1, False, id="fewer, and nothing was"),
        pytest.param(1, SHARDS, False, id="more"),
    ],
)
async def test_resent_messages_keep_their_former_shards(stage: Stage, before: int, after: int, is_heard: bool):
    """A relay acknowledges the share that it sent, and no other."""
    stage.listen("c", "queue:spanish", "queue:english")
    stage.ingest = stage.ingest_on(stage.database, before, None if is_heard else Unheard())
    again = RedisPublisher(stage.redis_url, after)
    upkeep = PostgresHousekeeping(stage.database, "sweep", wake=lambda: None)
    async with stage.relay(shard=0, shards=after) as running:
        await running.ready()
        sent = await stage.send(initiated("e", "english"), initiated("s", "spanish"))
        if is_heard:
            await running.relay_store.until_cleared(sent[0])
        overdue = await asyncio.to_thread(upkeep.take_overdue, clock.now() + timedelta(minutes=1))
        again.publish(overdue)
        await stage.gateway.until(lambda: stage.gateway.calls("c") == {"e": 1, "s": 1})
