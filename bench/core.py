"""The core measures: single-event ingest, batch ingest, the relay's posts, and reads, each through the handlers.

This module runs in any checkout of the repository, because it calls only what does not move: the handlers of the
functions, and the tables of the feed. `bench.compare` starts it (`main`) in two checkouts with their own environments.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeVar

import psutil
import psycopg

from bench.gateway import Gateway, gateway

Event = dict[str, Any]
T = TypeVar("T")

BATCH = 500  # events a request
QUEUE = "medical_spanish"
BACKLOG, BACKLOG_TRANSACTIONS, BACKLOG_SOCKETS, BACKLOG_CALLS = "backlog", 30, 3_000, 30
_UNTIL_ANSWERED = ("call_initiated", "call_routed", "call_answered")
RELAYS = 4  # how often `relay_posts` can be measured

_LISTENERS = """
insert into connections (id, role, queues, connected_at, expires_at)
select case when n %% %(recorded_of)s = 0 then 'recorded-' else 'other-' end || n, 'supervisor', '{*}', now(),
    now() + interval '2 hours'
from generate_series(0, %(sockets)s - 1) n
"""
_SUBSCRIPTIONS = """
insert into subscriptions (topic, connection_id)
select 'queue:' || (%(queues)s::text[])[1 + split_part(id, '-', 2)::int %% %(queue_count)s], id from connections
"""


# --- events and requests ---


def lifecycles(calls: int, name: str) -> list[Event]:
    """Complete calls, interleaved: the first event of every call, then the second of every call, and so on."""
    steps = [
        {"event": "call_initiated", "type": "voice", "queueId": QUEUE},
        {"event": "call_routed", "routingTime": 1},
        {"event": "call_answered", "waitTime": 5},
        {"event": "call_hold", "holdDuration": 20},
        {"event": "call_ended", "endReason": "completed", "duration": 90},
    ]
    return [
        step | {"callId": f"{name}-{n}"} | ({"agentId": f"{name}-agent-{n}"} if step["event"] == "call_routed" else {})
        for step in steps
        for n in range(calls)
    ]


def batches(items: Sequence[T], size: int = BATCH) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def rest_request(method: str, path: str, token: str, body: object = None, query: dict[str, str] | None = None) -> Event:
    """An API Gateway proxy event."""
    return {
        "httpMethod": method,
        "path": path,
        "requestContext": {"resourcePath": path, "httpMethod": method, "path": path},
        "pathParameters": None,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "headers": {"content-type": "application/json", "authorization": f"Bearer {token}"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "stageVariables": None,
    }


def post_events(token: str, body: object, query: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
    return send(rest_request("POST", "/api/events", token, body, query))


def send(request: Event) -> Any:  # noqa: ANN401 - JSON
    """Call the handler. Returns the answer's body."""
    if request["httpMethod"] == "POST":
        from functions.ingest.app import app
    else:
        from functions.query.app import app
    answer = app(request, None)
    assert answer["statusCode"] in (200, 201), answer["body"]
    return json.loads(answer["body"]) if request["httpMethod"] == "POST" else None


# --- the relay ---


def add_listeners(database_url: str, sockets: int, queues: Sequence[str], recorded_of: int) -> None:
    """Subscribe each socket to one queue in turn. The gateway records every `recorded_of`-th socket."""
    parameters = {"sockets": sockets, "recorded_of": recorded_of, "queues": list(queues), "queue_count": len(queues)}
    with psycopg.connect(database_url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_LISTENERS, parameters)
        cursor.execute(_SUBSCRIPTIONS, parameters)


def await_true(database_url: str, query: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    with psycopg.connect(database_url, autocommit=True) as connection:
        while not connection.execute(query).fetchone()[0]:  # type: ignore[index, call-overload]  # one row, own text
            assert time.monotonic() < deadline, query
            time.sleep(0.02)


def await_empty_outbox(database_url: str) -> None:
    await_true(database_url, "select not exists (select from outbox)")


def run_relay(environment: dict[str, str], successors: Any = None, fencing_token: int | None = None) -> None:  # noqa: ANN401 - a queue
    """Run one relay in this process, as a function. `successors` receives the fencing token when it hands over."""
    os.environ.update(environment)  # noqa: TID251 - as Lambda does
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the life of the process
    from functions.broadcast.app import relay
    from shared import wiring

    wiring.wake_relay = lambda _shard, after=None: successors and successors.put(after)
    event = {"shard": 0} | ({} if fencing_token is None else {"after": fencing_token})
    relay(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 3_600_000, aws_request_id="bench"))


class _WaitingRelay:
    """A relay in a fork of this process, so that its processor time contains no imports. It waits for `start`."""

    def __init__(self, environment: dict[str, str]) -> None:
        import functions.broadcast.app  # noqa: F401 - before the fork

        context = multiprocessing.get_context("fork")
        self._started = context.Event()
        self._process = context.Process(target=self._run, args=[environment], daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def start(self) -> None:
        self._started.set()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def _run(self, environment: dict[str, str]) -> None:
        self._started.wait()
        run_relay(environment)


def relay_environment(database_url: str, redis_url: str, gateway_url: str, seconds: float) -> dict[str, str]:
    """`seconds` is how long the relay runs before it hands over."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "CONNECTIONS_URL": gateway_url,
        "RELAY_SECONDS": str(seconds),
        "AWS_ENDPOINT_URL": "emulated",
        "AWS_ACCESS_KEY_ID": "emulated",
        "AWS_SECRET_ACCESS_KEY": "emulated",
    }


# --- the measures ---


@dataclass(frozen=True)
class Slice:
    """What one short run of a measure did."""

    items: int
    """Events, posts or requests."""
    seconds: float
    """Wall-clock time."""
    cpu_seconds: float
    """Processor time of the functions and of their Postgres sessions. Other load on the machine hardly changes it."""


class CoreMeasures:
    """One database, whose calls grow with each slice."""

    def __init__(self, database_url: str, redis_url: str, token: str, gateway: Gateway) -> None:
        self._database_url, self._token, self._gateway = database_url, token, gateway
        self._numbers = count()
        self._has_backlog = False
        environment = relay_environment(database_url, redis_url, gateway.url, 3600)
        self._relays = [_WaitingRelay(environment) for _ in range(RELAYS)]
        self._monitor = psycopg.connect(database_url, autocommit=True)
        queries: list[tuple[str, dict[str, str]]] = [
            ("/api/calls", {"limit": "50"}),
            ("/api/calls", {"status": "ended", "queueId": QUEUE, "sort": "-wait"}),
            ("/api/agents", {}),
            ("/api/metrics", {"groupBy": "queue"}),
        ]
        self._reads = [rest_request("GET", path, token, query=query) for path, query in queries]
        self._post(lifecycles(BATCH // 5, "warm"))  # also the calls that reads return
        for event in lifecycles(4, "warm-single"):
            self._post(event)
        for request in self._reads:
            send(request)

    def close(self) -> None:
        for relay in self._relays:
            relay.stop()
        self._monitor.close()

    def single_ingest(self, seconds: float) -> Slice:
        """Events, one a request."""
        return self._repeat(self._post_call, 5, seconds)

    def batch_ingest(self, seconds: float) -> Slice:
        """Events, 500 a request."""
        return self._repeat(lambda: self._post(lifecycles(BATCH // 5, self._name())), BATCH, seconds)

    def reads(self, seconds: float) -> Slice:
        """Requests: first pages of two lists, all agents, and a day's figures."""
        return self._repeat(lambda: [send(request) for request in self._reads], len(self._reads), seconds)

    def relay_posts(self, _seconds: float) -> Slice:
        """Posts, while a relay sends a backlog of 30 transactions to all sockets and nothing else runs."""
        relay = self._relays.pop()
        self._make_backlog()
        before = self._cpu_times(relay)
        self._gateway.report()
        relay.start()
        await_empty_outbox(self._database_url)
        cpu_seconds = _used(before, self._cpu_times(relay))
        relay.stop()
        report = self._gateway.report()
        return Slice(report.posts, report.last_at - report.first_at, cpu_seconds)

    def _make_backlog(self) -> None:
        """Fill the outbox. Later calls insert the same rows again."""
        self._monitor.execute("truncate outbox; delete from leases")
        if not self._has_backlog:
            self._post([event for event in lifecycles(BACKLOG_CALLS, BACKLOG) if event["event"] in _UNTIL_ANSWERED])
            for number in range(BACKLOG_TRANSACTIONS):
                self._post({"event": "call_hold", "callId": f"{BACKLOG}-{number % BACKLOG_CALLS}", "holdDuration": 1})
            self._monitor.execute("create table backlog as table outbox")
            add_listeners(self._database_url, BACKLOG_SOCKETS, [QUEUE], 2 * BACKLOG_SOCKETS)
            self._has_backlog = True
        else:
            self._monitor.execute("insert into outbox select * from backlog")

    def _repeat(self, work: Callable[[], object], items: int, seconds: float) -> Slice:
        done, before, began = 0, self._cpu_times(), time.perf_counter()
        while time.perf_counter() < began + seconds:
            work()
            done += items
        return Slice(done, time.perf_counter() - began, _used(before, self._cpu_times()))

    def _cpu_times(self, relay: "_WaitingRelay | None" = None) -> dict[int, float]:
        """Processor seconds of this process, of the relay, and of each Postgres session except the monitor's."""
        rows = self._monitor.execute(
            "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
        seconds = {0: time.process_time()}
        for pid in [pid for (pid,) in rows] + ([relay.pid] if relay else []):
            with suppress(psutil.Error):  # a session that has just ended
                times = psutil.Process(pid).cpu_times()
                seconds[pid] = times.user + times.system
        return seconds

    def _post_call(self) -> None:
        for event in lifecycles(1, self._name()):
            self._post(event)

    def _post(self, body: object) -> None:
        post_events(self._token, body)

    def _name(self) -> str:
        return f"call-{next(self._numbers)}"


def _used(before: dict[int, float], after: dict[int, float]) -> float:
    """Processor seconds between two results of `_cpu_times`."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


MEASURES: dict[str, Callable[[CoreMeasures, float], Slice]] = {
    "single-event ingest": CoreMeasures.single_ingest,
    "batch ingest": CoreMeasures.batch_ingest,
    "relay posts": CoreMeasures.relay_posts,
    "reads": CoreMeasures.reads,
}


def main(database_url: str, redis_url: str, token: str) -> None:
    """Measure what each line of standard input names (`SECONDS MEASURE`). Answer each with one line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the functions' logs
    with gateway() as stand_in, closing(CoreMeasures(database_url, redis_url, token, stand_in)) as measures:
        answers.write("ready\n")
        for line in sys.stdin:
            seconds, _, name = line.strip().partition(" ")
            answers.write(json.dumps(asdict(MEASURES[name](measures, float(seconds)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
