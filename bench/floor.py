"""A recorder with many listeners, and the relay between them in a process of its own, as a function has it."""

import asyncio
import multiprocessing
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.gateway import Gateway, Report
from bench.stage import Stage
from shared import wiring
from shared.adapters import clock
from shared.adapters.ids import new_id, new_ids
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.agents import PostgresAgents
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.redis.publisher import RedisPublisher
from shared.usecases.recording.notices import News
from shared.usecases.recording.submit_events import IngestServices, submit

RECORDERS = 4
OVER = "over"
ALIVE = "select exists (select from leases where expires_at > now())"
LISTENERS = """
insert into connections (id, role, queues, connected_at, expires_at)
select case when n %% %(heard_of)s = 0 then 'heard-' else 'deaf-' end || n, 'supervisor', '{*}', now(),
    now() + interval '2 hours'
from generate_series(0, %(many)s - 1) n;
insert into subscriptions (topic, connection_id)
select 'queue:q' || split_part(id, '-', 2)::int %% %(queues)s, id from connections
"""


class Commits:
    """Notes when each version of a call was committed, and publishes it."""

    def __init__(self, publisher: RedisPublisher) -> None:
        self._publisher = publisher
        self.at: dict[tuple[str, int], float] = {}

    def publish(self, notices: Sequence[News]) -> None:
        now = time.monotonic()
        for news in notices:
            for change in news.changes:
                self.at.setdefault((change.call.id, change.call.version), now)
        self._publisher.publish(notices)
        self._publisher.shards_without_relay()


class Floor:
    """A recorder and its listeners; `calls` of each queue go on and off hold for as long as somebody sends."""

    def __init__(self, stage: Stage, taking: Gateway, queues: int, calls: int) -> None:
        self.stage, self.gateway, self.queues, self.calls = stage, taking, queues, calls
        self.url = stage.database()
        self.commits = Commits(RedisPublisher(stage.redis.url, 1))
        self._desks = [self._desk() for _ in range(RECORDERS)]
        for queue in range(queues):
            self._execute("insert into queues (id, name) values (%s, %s)", [f"q{queue}", f"q{queue}"])
        for number in range(calls):
            self._begin(number)
        self._execute("delete from outbox")
        self.commits.at.clear()

    def _desk(self) -> IngestServices:
        database = Database(self.url)
        return IngestServices(PostgresTransactions(database), PostgresAgents(database), new_ids, timedelta(seconds=60))

    def _execute(self, query: Any, parameters: Any = None) -> Any:  # noqa: ANN401 - this module's own text
        with psycopg.connect(self.url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchone() if cursor.description else None

    def _begin(self, number: int) -> None:
        call = {"callId": f"call-{number}"}
        self.record(
            {"event": "call_initiated", "type": "voice", "queueId": f"q{number % self.queues}", **call},
            {"event": "call_routed", "agentId": f"agent-{number}", "routingTime": 1, **call},
            {"event": "call_answered", "waitTime": 1, **call},
        )

    def listen(self, many: int, heard_of: int = 1) -> None:
        """Each to one queue in turn; one of so many is heard."""
        self._execute(LISTENERS, {"many": many, "heard_of": heard_of, "queues": self.queues})

    def slow_down(self, queue: int) -> None:
        self._execute(
            "insert into connections values ('slow', 'supervisor', '{*}', now(), now() + interval '2 h');"
            "insert into subscriptions (topic, connection_id) values (%s, 'slow')", [f"queue:q{queue}"]
        )  # fmt: skip

    def record(self, *events: dict[str, Any], recorder: int = 0) -> None:
        bodies = [{"eventId": new_id(), **event} for event in events]
        submitted = submit(self._desks[recorder], bodies, clock.now())
        self.commits.publish(submitted.notices)
        assert {result.status for result in submitted.results} == {201}, submitted.results

    def hold(self, first: int, many: int, recorder: int = 0) -> None:
        """So many calls change, the one after the other."""
        calls = [f"call-{number % self.calls}" for number in range(first, first + many)]
        self.record(*({"event": "call_hold", "callId": call, "holdDuration": 1} for call in calls), recorder=recorder)

    def send(self, per_second: int, seconds: float, batch: int = 1) -> None:
        """At an even pace, by a few recorders in turn; where they fall behind by a tenth they say so."""
        begun = time.monotonic()

        def send_every(recorder: int) -> None:
            for sent in range(recorder * batch, int(per_second * seconds), RECORDERS * batch):
                time.sleep(max(0.0, begun + sent / per_second - time.monotonic()))
                self.hold(sent, batch, recorder)

        with ThreadPoolExecutor(RECORDERS) as pool:
            list(pool.map(send_every, range(RECORDERS)))
        late = time.monotonic() - begun - seconds
        assert late < max(1, seconds / 10), (
            f"the recorders themselves are {late:.1f} s late: this machine is too busy to measure"
        )

    def until(self, holds: Any, patience_seconds: float = 60) -> None:  # noqa: ANN401 - this module's own text
        deadline = time.monotonic() + patience_seconds
        while not self._execute(holds)[0]:
            assert time.monotonic() < deadline, holds
            time.sleep(0.02)

    def until_told(self) -> None:
        self.until("select not exists (select from outbox)")

    @contextmanager
    def relay(self, seconds: float = 3600) -> Iterator[list[Any]]:
        """A relay in a process of its own, and after so long its successors, each started when it is called for."""
        spawn = multiprocessing.get_context("spawn")
        calls = spawn.SimpleQueue()
        variables = {
            "DATABASE_URL": self.url,
            "REDIS_URL": self.stage.redis.url,
            "CONNECTIONS_URL": self.gateway.url,
            "AWS_ENDPOINT_URL": "emulated",
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
        }
        started: list[Any] = []

        def start() -> None:
            while (after := calls.get()) != OVER:
                process = spawn.Process(target=_relay, args=[variables, calls, seconds, after], daemon=True)
                process.start()
                started.append(process)

        starting = threading.Thread(target=start)
        starting.start()
        calls.put(None)
        try:
            self.until(ALIVE)
            yield started
        finally:
            calls.put(OVER)
            starting.join()
            for process in started:
                process.kill()
                process.join()

    def ages(self, report: Report) -> list[float]:
        """In milliseconds, of each version that each heard socket was told, itself or by a later one."""
        versions: dict[str, list[int]] = {}
        for call_id, version in sorted(self.commits.at):
            versions.setdefault(call_id, []).append(version)
        ages: list[float] = []
        for frames in report.seen.values():
            told: dict[str, int] = {}
            for at, calls in frames:
                for call_id, version in calls.items():
                    known = versions.get(call_id, [])
                    news = known[bisect_left(known, told.get(call_id, 0) + 1) : bisect_left(known, version + 1)]
                    ages += [(at - self.commits.at[call_id, new]) * 1000 for new in news]
                    told[call_id] = max(told.get(call_id, 0), version)
        return ages


def _relay(variables: dict[str, str], calls: Any, seconds: float, after: int | None) -> None:  # noqa: ANN401 - a queue
    os.environ.update(variables)  # noqa: TID251 - as Lambda does
    wiring.wake_relay = lambda _shard, after=None: calls.put(after)  # as a function is invoked

    async def run() -> None:
        async with wiring.relay(0) as relay:
            await relay.run(seconds, after)

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        wiring.logger("broadcast")
        asyncio.run(run())
