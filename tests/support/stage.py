"""A floor to play on: a gateway that takes posts as API Gateway does, a sender, and the real relay between them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import psycopg
from aiohttp import web

from shared.adapters import clock
from shared.adapters.aws.connection_pool import HttpGateway
from shared.adapters.ids import new_id, new_ids
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.feed.relay_store import PostgresRelayStore
from shared.adapters.postgres.feed.subscriptions import PostgresRegistry
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.redis.publisher import RedisPublisher
from shared.adapters.redis.subscriber import RedisSubscriber
from shared.contracts.feed import OutboxId
from shared.contracts.setup import AgentSetup
from shared.usecases.access import Principal, Role
from shared.usecases.feed.connect import connect
from shared.usecases.feed.relay import Relay
from shared.usecases.recording.change_agent_status import set_up_agent
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.outcomes import Result
from shared.usecases.recording.submit_events import IngestServices, submit
from shared.usecases.sweep.after_commit import publish, wake_idle_workers
from shared.usecases.sweep.services import NoWorkers, Publisher, SweepServices
from tests.support.calls import initiated

WAIT_SECONDS = 20


class FakeGateway:
    """`refuse` says with which status a post ends; `held` keeps posts to a connection waiting until it is set."""

    def __init__(self) -> None:
        self.frames: dict[str, list[dict]] = defaultdict(list)
        self.sizes: list[int] = []
        self.closed: set[str] = set()
        self.refuse: Callable[[str], int | None] = lambda _: None
        self.held: dict[str, asyncio.Event] = {}
        self.asked: dict[str, int] = defaultdict(int)
        self._news = asyncio.Condition()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/live/@connections/{id}", self._post)
        app.router.add_delete("/live/@connections/{id}", self._delete)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/live"

    async def stop(self) -> None:
        for held in self.held.values():
            held.set()
        await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        connection_id, body = request.match_info["id"], await request.read()
        self.asked[connection_id] += 1
        await self._tell()
        if held := self.held.get(connection_id):
            await held.wait()
        status = 410 if connection_id in self.closed else self.refuse(connection_id)
        if not status:
            self.frames[connection_id].append(json.loads(body))
            self.sizes.append(len(body))
        await self._tell()
        return web.Response(status=status or 200)

    async def _delete(self, request: web.Request) -> web.Response:
        self.closed.add(request.match_info["id"])
        await self._tell()
        return web.Response(status=204)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(holds)

    def calls(self, connection_id: str) -> dict[str, int]:
        """The highest version of each call that a client has seen."""
        seen: dict[str, int] = {}
        for frame in self.frames[connection_id]:
            for call in frame.get("calls", ()):
                seen[call["id"]] = max(seen.get(call["id"], 0), call["version"])
        return seen

    def left(self, connection_id: str) -> list[dict]:
        """The departures that a client has seen."""
        return [gone for frame in self.frames[connection_id] for gone in frame.get("left", ())]

    def events(self, connection_id: str) -> list[str]:
        return [event["id"] for frame in self.frames[connection_id] for event in frame.get("events", ())]


class WatchedRelayStore(PostgresRelayStore):
    """Signals when the outbox was drained and acknowledged, so that tests need no sleeps.

    While it `may_renew` not, it does not notice that the shard is another's by now.
    """

    def __init__(self, url: str, shard: int = 0, shards: int = 1) -> None:
        super().__init__(url, shard, shards)
        self.drained = asyncio.Event()
        self.cleared: set[str] = set()
        self.may_clear, self.may_renew = asyncio.Event(), asyncio.Event()
        self.may_clear.set()
        self.may_renew.set()
        self._news = asyncio.Condition()

    @property
    def fence(self) -> int | None:
        return self._fence

    async def renew(self, seconds: float) -> bool:
        await self.may_renew.wait()
        return await super().renew(seconds)

    async def pending(self, after: OutboxId, limit: int):
        found = await super().pending(after, limit)
        self.drained.set()
        return found

    async def ack(self, outbox_ids: Collection[OutboxId]) -> bool:
        await self.may_clear.wait()
        events = await self._other_connection.rows(
            "select id from events where txid = any(%s)", [[txid for txid, _ in outbox_ids]]
        )
        is_ours = await super().ack(outbox_ids)
        if is_ours:
            await self._tell(row["id"] for row in events)
        return is_ours

    async def remove(self, connection_id: str) -> None:
        await super().remove(connection_id)
        await self._tell([connection_id])

    async def _tell(self, ids) -> None:
        async with self._news:
            self.cleared |= set(ids)
            self._news.notify_all()

    async def until_cleared(self, *ids: str) -> None:
        """Until these events have left the outbox, or these connections the registry."""
        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(lambda: self.cleared.issuperset(ids))


class Ingest(NoWorkers):
    """The ingest function, without offers. Writes the shards of the relays that it wakes into the list given."""

    def __init__(self, database: Database, shards: int, publisher: Publisher, woken: list[int]) -> None:
        transactions, grace = PostgresTransactions(database, shards), timedelta(seconds=60)
        self.services = IngestServices(transactions, PostgresAgents(database), new_ids, grace)
        self._sweep_services = SweepServices(transactions, publisher, new_id, grace, self)
        self._woken = woken

    def submit(self, bodies: Sequence[dict]) -> list[Result]:
        submitted = submit(self.services, bodies, clock.now())
        self._publish(submitted.notices)
        return submitted.results

    def set_up_agent(self, agent_id: str, setup: AgentSetup) -> None:
        _, news = set_up_agent(self.services.agents, agent_id, setup, clock.now())
        self._publish([news])

    def wake_relay(self, shard: int, now: datetime) -> None:  # noqa: ARG002 - as the protocol has it
        self._woken.append(shard)

    def _publish(self, notices: Sequence[TransactionNotices]) -> None:
        publish(self._sweep_services, notices)
        wake_idle_workers(self._sweep_services, clock.now())


class Stage:
    def __init__(self, postgres_url: str, redis_url: str) -> None:
        self.postgres_url, self.redis_url = postgres_url, redis_url
        self.gateway = FakeGateway()
        self.database = Database(postgres_url)
        self.registry = PostgresRegistry(self.database)
        self.woken: list[int] = []  # shards for which a publisher found no subscriber
        self.ingest = self.ingest_on(self.database)
        self.called: asyncio.Queue[int] = asyncio.Queue()  # fencing numbers of relays that have asked for a successor
        for queue in ("spanish", "english"):
            self.database.connection().execute("insert into queues (id, name) values (%s, %s)", [queue, queue])

    def ingest_on(self, database: Database, shards: int = 1, publisher: Publisher | None = None) -> "Ingest":
        return Ingest(database, shards, publisher or RedisPublisher(self.redis_url, shards), self.woken)

    def listen(
        self, connection_id: str, *topics: str, queues: Collection[str] = ("*",), role: Role = "supervisor"
    ) -> None:
        principal = Principal(role, frozenset(queues), int(clock.now().timestamp()) + 3600)
        connect(self.registry, connection_id, principal, clock.now())
        self.registry.subscribe(connection_id, topics)

    async def send(self, *events: dict) -> list[str]:
        """Record the events as a sender would; their ids."""
        bodies = [{"eventId": new_id(), **event} for event in events]
        results = await asyncio.to_thread(self.ingest.submit, bodies)
        assert [result.status for result in results] == [201] * len(bodies), results
        return [body["eventId"] for body in bodies]

    async def begin(self, call_id: str, queue: str = "spanish", **more) -> str:
        return (await self.send(initiated(call_id, queue, **more)))[0]

    def owed(self) -> set[str]:
        owed = "select id from events join outbox using (txid)"
        return {row[0] for row in self.database.connection().execute(owed)}

    def expire_leases(self, *tokens: int | None) -> None:
        """As when their time is over: of these, or of all."""
        expire = """
            update leases set expires_at = now() - interval '1 second' where fencing_token = any(%(f)s) or %(f)s = '{}'
        """
        self.database.connection().execute(expire, {"f": list(tokens)})

    @asynccontextmanager
    async def relay(
        self,
        seconds: float = 3600,
        after: int | None = None,
        shard: int = 0,
        shards: int = 1,
        *,
        leaves_lease: bool = False,
    ) -> AsyncGenerator["Running"]:
        """Killed at the end, wherever it is. The time of its lease is over then, unless it `leaves_lease`."""
        relay_store, loop = WatchedRelayStore(self.postgres_url, shard, shards), asyncio.get_running_loop()

        def call(fence: int) -> None:
            loop.call_soon_threadsafe(self.called.put_nowait, fence)

        async with HttpGateway(self.gateway.url) as gateway:
            relay = Relay(RedisSubscriber(self.redis_url, shard), relay_store, gateway, call)
            task = asyncio.create_task(relay.run(seconds, after))
            try:
                yield Running(relay, relay_store, task)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await relay.sender.finish(0)
                if not leaves_lease:
                    self.expire_leases(relay_store.fence)
                await relay_store.close()


class Running:
    def __init__(self, relay: Relay, relay_store: WatchedRelayStore, task: asyncio.Task) -> None:
        self.relay, self.relay_store, self.task = relay, relay_store, task

    async def ready(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await self.relay_store.drained.wait()


@asynccontextmanager
async def staged(postgres_url: str, redis_url: str) -> AsyncGenerator[Stage]:
    stage = Stage(postgres_url, redis_url)
    await stage.gateway.start()
    try:
        yield stage
    finally:
        await stage.gateway.stop()
        stage.database.close()


def open_transaction(url: str) -> psycopg.Connection:
    """A transaction with an id, held open: what it will commit lies below what others commit now."""
    connection = psycopg.connect(url)
    connection.execute("select pg_current_xact_id()")
    return connection
