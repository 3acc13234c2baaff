"""From a sender's POST to a subscriber's socket, through the whole embedded cloud, against its bare hops."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from websockets.sync.client import ClientConnection, connect

from bench.stage import Figure
from infra import aws

EVENTS = 200
SWITCHBOARD = Path(sys.executable).with_name("switchboard")
CEILING = "an empty function + a bare post to the socket"


def measure() -> Iterator[Figure]:
    with (
        cloud("--no-dashboard") as status,
        httpx.Client(headers={"Authorization": f"Bearer {status['token']}"}) as http,
        connect(f"{status['websocket']}?token={status['token']}") as socket,
    ):
        socket.send(json.dumps({"action": "subscribe", "topics": ["queue:medical_spanish"]}))
        _until(socket, lambda frame: frame["type"] == "subscribed")
        told = _sorted(_told(status, http, socket) for _ in range(EVENTS))
        bare = _sorted(_bare(status, http, socket) for _ in range(EVENTS))
    yield Figure("POST to socket, p50", statistics.median(told), "ms", statistics.median(bare), CEILING)
    yield Figure("POST to socket, p99", told[int(EVENTS * 0.99)], "ms", bare[int(EVENTS * 0.99)], CEILING)


def _sorted(seconds: Iterator[float]) -> list[float]:
    return sorted(second * 1000 for second in seconds)


def _told(status: dict[str, Any], http: httpx.Client, socket: ClientConnection) -> float:
    """Seconds from before the POST until the frame that tells of it has come."""
    call_id = f"bench-{time.time_ns()}"
    event = {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"}
    begun = time.perf_counter()
    http.post(f"{status['api']}/api/events", json=event).raise_for_status()
    _until(socket, lambda frame: any(call["id"] == call_id for call in frame.get("calls", [])))
    seconds = time.perf_counter() - begun
    ended = {"event": "call_ended", "callId": call_id, "endReason": "failed", "duration": 0}
    http.post(f"{status['api']}/api/events", json=ended).raise_for_status()
    return seconds


def _bare(status: dict[str, Any], http: httpx.Client, socket: ClientConnection) -> float:
    """The same hops with nothing to do: a request that a function answers at once, and one post to the connection."""
    if "connection" not in status:
        with psycopg.connect(status["database"]) as database:
            row = database.execute("select id from connections order by connected_at desc limit 1").fetchone()
        assert row, "the socket of this run is connected"
        base = status["websocket"].replace("ws://", "http://")
        status["gateway"] = aws.client("apigatewaymanagementapi", "us-east-1", base, status["aws_credentials"])
        status["connection"] = row[0]
    word = f"bare {time.perf_counter_ns()}"
    begun = time.perf_counter()
    http.get(f"{status['api']}/api/health").raise_for_status()
    status["gateway"].post_to_connection(ConnectionId=status["connection"], Data=json.dumps({"type": word}).encode())
    _until(socket, lambda frame: frame["type"] == word)
    return time.perf_counter() - begun


def _until(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> None:
    while not wanted(json.loads(socket.recv(timeout=20))):
        pass


@contextmanager
def cloud(*options: str) -> Iterator[dict[str, Any]]:
    """An embedded cloud of its own, started as a user starts it: what `status --json` says, and `home`, its folder."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "SWITCHBOARD_HOME": home}  # noqa: TID251 - a child's environment

        def run(*arguments: str, check: bool = True) -> str:
            done = subprocess.run(
                [SWITCHBOARD, *arguments], env=environment, check=check, capture_output=True, text=True
            )
            return done.stdout

        try:
            run("up", "--detach", *options)
            yield json.loads(run("status", "--json", check=False)) | {"home": home}
        finally:
            run("down")
