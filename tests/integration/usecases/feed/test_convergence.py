"""After any failure every client ends with the state that REST returns, without a reload by hand."""

import asyncio
import gc
import json
import random

import pytest

from infra.client.replica import Replica
from infra.local.redis import Redis
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.contracts.feed import Subscribe
from shared.usecases.access import Principal
from shared.usecases.feed.subscribe import subscribe
from shared.usecases.reading.cursors import Cursors
from shared.usecases.reading.reads import list_calls
from tests.support.calls import answered, initiated, routed
from tests.support.examples import few_and_many
from tests.support.stage import WAIT_SECONDS, Stage, staged

TOPICS = ["queue:spanish", "queue:english"]
EVERYTHING = Principal("supervisor", frozenset({"*"}), 0)
LIVE = {"status": "waiting,active,on_hold", "limit": "500"}


class Client:
    """Keeps a replica from the frames that a gateway took for it, by the protocol and by nothing else."""

    def __init__(self, stage: Stage, name: str, chance: random.Random) -> None:
        self._stage, self._name, self._chance = stage, name, chance
        self._connections = self._taken = 0
        self.replica = Replica()

    @property
    def connection_id(self) -> str:
        return f"{self._name}-{self._connections}"

    def connect(self) -> None:
        """A new socket, resumed where the replica stands."""
        self._connections, self._taken = self._connections + 1, 0
        self._stage.listen(self.connection_id)
        listener = self._stage.registry.find(self.connection_id)
        assert listener
        asked = Subscribe(action="subscribe", topics=TOPICS, since=self.replica.position)
        for frame in subscribe(self._stage.registry, listener, asked):
            self._hear(json.loads(frame))

    def cut(self) -> None:
        """The socket dies: what the gateway took last may never have arrived."""
        lost = self._chance.randrange(3)
        self.take(but_for=lost)
        self._stage.gateway.closed.add(self.connection_id)

    def take(self, *, but_for: int = 0, shuffled: bool = False) -> None:
        frames = self._stage.gateway.frames[self.connection_id]
        new = frames[self._taken : len(frames) - but_for]
        self._taken += len(new)
        if shuffled:
            new = self._chance.sample(new * 2, len(new) * 2)
        for frame in new:
            self._hear(frame)

    def _hear(self, frame: dict) -> None:
        if frame["type"] == "update":
            self.replica.apply(frame)
            return
        if frame["type"] == "reset" or not frame["replayed"]:
            asked = self.replica.held_versions()
            calls, position = snapshot(self._stage)
            self.replica.apply_snapshot(asked, calls, position)
        self.replica.advance_to(frame["position"])


def snapshot(stage: Stage) -> tuple[list[dict], int]:
    page = list_calls(PostgresReads(stage.database), Cursors(["a key for tests"]), EVERYTHING, LIVE)
    assert not page.next_cursor
    return [json.loads(row) for row in page.encoded], page.position


class Telephony:
    """A floor of calls at random, each event as it may come next."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage, self.chance = stage, chance
        self._calls: dict[str, list[dict]] = {}
        self._number = 0

    def queue(self) -> str:
        return self.chance.choice(["spanish", "english"])

    def _next(self) -> dict:
        if len(self._calls) < 10 or self.chance.random() < 0.2:
            call_id = f"call-{self._number}"
            self._number += 1
            self._calls[call_id] = [
                routed(call_id, f"agent-{self._number}"),
                answered(call_id),
                {
                    "event": "call_transferred",
                    "callId": call_id,
                    "queueId": self.chance.choice(["spanish", "english"]),
                },
                routed(call_id, f"agent-{self._number}"),
                {"event": "call_ended", "callId": call_id, "endReason": "abandoned", "duration": 0},
            ]
            return initiated(call_id, self.queue())
        call_id = self.chance.choice(list(self._calls))
        event = self._calls[call_id].pop(0)
        if not self._calls[call_id]:
            del self._calls[call_id]
        return event

    async def say(self, events: int) -> None:
        for _ in range(events):
            await self._stage.send(self._next())


async def all_sent(stage: Stage, running) -> None:
    """Wait until the relay has sent everything."""
    async with asyncio.timeout(WAIT_SECONDS):
        while owed := stage.owed():
            await running.relay_store.until_cleared(*owed)


def assert_converged(stage: Stage, clients: list[Client]) -> None:
    live = {call["id"]: call["version"] for call in snapshot(stage)[0]}
    assert live, "there is a floor to be wrong about"
    for client in clients:
        assert {call["id"]: call["version"] for call in client.replica.calls.values()} == live, client.connection_id


@pytest.fixture
def play(database_url, redis_server):
    def run(body, clients: int = 5, seed: int = 1):
        async def on_stage():
            async with staged(database_url, redis_server.url) as stage:
                chance = random.Random(seed)
                listening = [Client(stage, f"client{n}", chance) for n in range(clients)]
                for client in listening:
                    client.connect()
                await body(stage, listening, Telephony(stage, chance))
                assert_converged(stage, listening)

        asyncio.run(on_stage())

    return run


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # who is killed as it connects closes nothing
@pytest.mark.parametrize("kills", few_and_many(15, 100))
def test_relays_are_killed_between_post_and_clear(play, kills: int):
    async def body(stage: Stage, clients, telephony):
        for _ in range(kills):
            async with stage.relay() as killed:
                if telephony.chance.random() < 0.7:
                    killed.relay_store.may_clear.clear()
                await telephony.say(1)
                if telephony.chance.random() < 0.7:
                    posts = sum(stage.gateway.asked.values())
                    await stage.gateway.until(lambda before=posts: sum(stage.gateway.asked.values()) > before)
            stage.expire_leases()  # one that was killed as it took the shard cannot know its own
        async with stage.relay() as running:
            await all_sent(stage, running)
        for client in clients:
            client.take()

    play(body)
    gc.collect()


def test_two_relays_at_once_and_frames_in_any_order_and_twice(play):
    """The older one does not notice that it was replaced, and tells on."""

    async def body(stage: Stage, clients, telephony):
        async with stage.relay() as older:
            await older.ready()
            older.relay_store.may_renew.clear()
            older.relay_store.may_clear.clear()
            async with stage.relay(after=older.relay_store.fence) as younger:
                await younger.ready()
                await telephony.say(100)
                await all_sent(stage, younger)
                assert older.relay.events == younger.relay.events == 100
        for client in clients:
            client.take(shuffled=True)

    play(body)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.deep), pytest.param(2, marks=pytest.mark.deep)])
def test_sockets_are_cut_and_resumed(play, seed: int):
    async def body(stage: Stage, clients, telephony):
        async with stage.relay() as running:
            await running.ready()
            for _ in range(40):
                await telephony.say(telephony.chance.randrange(4))
                victim = telephony.chance.choice(clients)
                victim.cut()
                await telephony.say(telephony.chance.randrange(3))
                victim.connect()
            await all_sent(stage, running)
        for client in clients:
            client.take()

    play(body, seed=seed)


def test_redis_is_killed_and_emptied(play, redis_server: Redis):
    async def body(stage: Stage, clients, telephony):
        async with stage.relay() as running:
            await running.ready()
            for _ in range(3):
                await telephony.say(5)
                assert redis_server.process
                redis_server.process.kill()
                redis_server.process.wait()
                await telephony.say(5)
                await asyncio.to_thread(redis_server.start)
                await telephony.say(5)
            await all_sent(stage, running)
        for client in clients:
            client.take()

    play(body)


def test_redis_is_emptied_and_every_relay_is_gone_at_once(play, redis_server: Redis):
    """No process remembers the messages under way: they are in the outbox."""

    async def body(stage: Stage, clients, telephony):
        for _ in range(3):
            async with stage.relay() as killed:
                await killed.ready()
                killed.relay_store.may_clear.clear()
                await telephony.say(5)
                assert redis_server.process
                redis_server.process.kill()
                redis_server.process.wait()
            await telephony.say(5)
            await asyncio.to_thread(redis_server.start)
            await telephony.say(5)
        assert stage.owed()
        async with stage.relay() as running:
            await all_sent(stage, running)
        for client in clients:
            client.take()

    play(body)


def test_a_transaction_is_held_open_across_the_horizon(play, database_url: str):
    """What it commits in the end has a lower id than all that clients have seen by then."""

    async def body(stage: Stage, clients, telephony):
        async with stage.relay() as running:
            await running.ready()
            await telephony.say(20)
            await all_sent(stage, running)
            late = Database(database_url)
            late.connection().execute("begin")
            late.connection().execute("select pg_current_xact_id()")
            for _ in range(10):
                await telephony.say(2)
                victim = telephony.chance.choice(clients)
                victim.cut()
                victim.connect()
            clients[0].cut()
            results = await asyncio.to_thread(stage.ingest_on(late).submit, [initiated("late")])
            assert results[0].status == 201
            late.close()
            clients[0].connect()
            await all_sent(stage, running)
        for client in clients:
            client.take()
        assert all("late" in client.replica.calls for client in clients)

    play(body)


@pytest.mark.parametrize("clients", few_and_many(20, 200))
def test_one_reads_hardly_anything_beside_many_that_do(play, clients: int):
    async def body(stage: Stage, clients, telephony):
        slow, *others = clients
        held = stage.gateway.held[slow.connection_id] = asyncio.Event()
        async with stage.relay() as running:
            await running.ready()
            await telephony.say(60)
            frames = stage.gateway.frames
            live = {call["id"]: call["version"] for call in snapshot(stage)[0]}
            await stage.gateway.until(
                lambda: all(live.items() <= stage.gateway.calls(client.connection_id).items() for client in others)
            )
            assert not frames[slow.connection_id]
            for client in others:
                client.take()
            assert_converged(stage, others)
            held.set()
            await all_sent(stage, running)
        for client in clients:
            client.take()

    play(body, clients=clients)
