"""Faults under load: what was sent is on record once, and a client that nobody reloads ends with what REST says."""

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import redis

from infra.local import processes
from tests.journeys.load import life, loaded
from tests.support.cloud import Cloud

BACK_SECONDS = 90.0  # far beyond what it takes: a loaded machine must not fail what is right
NO_LOG = Path(os.devnull)


def wait_for(condition: Callable[[], Any], what: str, seconds: float = BACK_SECONDS, log: Path = NO_LOG) -> None:
    """Ask until it is so: what is waited for here happens in processes that send no signal."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{processes.tail(log)}"
        time.sleep(0.05)


def kill(cloud: Cloud, name: str) -> None:
    """Kill a server with its children, and wait until whoever keeps the cloud has brought it back."""
    before = cloud.server(name)
    server = psutil.Process(before["pid"])
    processes.stop([server, *server.children(recursive=True)], how=signal.SIGKILL)
    keeper = cloud.home / "logs" / "watch.log"
    wait_for(lambda: cloud.server(name) != before, f"{name} is started again", log=keeper)


@pytest.fixture
def cloud(exclusive_cloud: Cloud) -> Cloud:
    """What fails here fails for this test alone."""
    return exclusive_cloud


@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_a_server_is_killed_and_comes_back(cloud: Cloud, server: str) -> None:
    with loaded(cloud) as load:
        kill(cloud, server)
    if server == "postgres":
        assert load.repeats, "senders saw the outage, and sent again"


def test_functions_are_killed_mid_flight(cloud: Cloud) -> None:
    with loaded(cloud) as load:
        for _ in range(2):
            cloud.kill_functions()
            load.live_on(3)


def relays(cloud: Cloud) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(cloud.server("aws")["pid"]).children(recursive=True):
        with suppress(psutil.Error):  # it may just have ended
            if "switchboard-relay" in " ".join(process.cmdline()):
                found.append(process)
    return found


def test_redis_is_emptied_and_all_relays_are_gone_at_once(cloud: Cloud) -> None:
    with loaded(cloud) as load:
        for _ in range(2):
            wait_for(lambda: relays(cloud), "somebody tells")
            before = cloud.server("redis")
            processes.stop([psutil.Process(before["pid"]), *relays(cloud)], how=signal.SIGKILL)
            wait_for(lambda before=before: cloud.server("redis") != before, "redis is started again")
            load.live_on(3)


def test_redis_can_write_nothing_down(cloud: Cloud, tmp_path: Path) -> None:
    """Its disk is full: it refuses every write. Switchboard asks it to pass messages on, and to keep none."""
    with loaded(cloud) as load, redis.Redis.from_url(cloud.status["redis"]) as client:
        gone = tmp_path / "gone"
        gone.mkdir()
        before: str = client.config_get("dir")["dir"]  # type: ignore[index,assignment]  # async or not, says its stub
        client.config_set("dir", str(gone))
        gone.rmdir()
        client.config_set("save", "1 1")
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(redis.ResponseError):
                client.set("anything", "at all")
            load.live_on(10)
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("save", "")
            client.config_set("dir", before)


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_sender_s_clock_is_wrong(cloud: Cloud, minutes: int) -> None:
    with loaded(cloud, skew=timedelta(minutes=minutes)) as load:
        load.live_on(5)


class Queue:
    """The queue in front, spoken to as senders do."""

    def __init__(self, cloud: Cloud) -> None:
        self._sqs = boto3.client(
            "sqs",
            endpoint_url=cloud.status["aws"],
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        self.url = cloud.status["queue"]

    def send(self, bodies: list[str]) -> None:
        for first in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[first : first + 10])]
            assert not self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def show_again_after(self, seconds: int) -> None:
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": str(seconds)})

    def left(self, suffix: str = "") -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url + suffix, AttributeNames=names)
        return sum(int(value) for value in found["Attributes"].values())


def messages(calls: int, run: str) -> dict[str, list[dict[str, Any]]]:
    """Lives as a sender tells them that knows when things happened: a queue keeps no order."""
    lives = {f"queued-{run}-{n}": life(f"queued-{run}-{n}", f"queued-{run}-{n % 4}") for n in range(calls)}
    begun = datetime.now(UTC) - timedelta(minutes=1)
    return {
        call_id: [
            event | {"eventId": f"{call_id}.{event['event']}", "occurredAt": (begun + timedelta(seconds=n)).isoformat()}
            for n, event in enumerate(events)
        ]
        for call_id, events in lives.items()
    }


def assert_recorded(cloud: Cloud, lives: dict[str, list[dict[str, Any]]]) -> None:
    for call_id, events in lives.items():
        history = cloud.get(f"/api/calls/{call_id}/events", limit=500)["data"]
        told = [event["id"] for event in history if event["source"] == "telephony"]
        assert sorted(told) == sorted(event["eventId"] for event in events)
        assert cloud.get(f"/api/calls/{call_id}")["status"] == "ended"


def test_the_queue_delivers_everything_twice(cloud: Cloud) -> None:
    queue, lives = Queue(cloud), messages(20, uuid.uuid4().hex[:6])
    bodies = [json.dumps(event) for events in lives.values() for event in events]
    with loaded(cloud):
        queue.send(bodies)
        queue.send(bodies)
        wait_for(lambda: queue.left() == 0, "the queue is empty")
    assert_recorded(cloud, lives)


def test_a_poison_message_among_500_spoils_no_other(cloud: Cloud) -> None:
    queue, lives = Queue(cloud), messages(100, uuid.uuid4().hex[:6])
    bodies = [json.dumps(event) for events in lives.values() for event in events]
    bodies[250:251] = ['{"event": "call_initiated", "callId": ', bodies[250]]
    dead_before = queue.left("-dead")
    queue.show_again_after(1)
    try:
        with loaded(cloud):
            queue.send(bodies)
            wait_for(lambda: (queue.left(), queue.left("-dead") - dead_before) == (0, 1), "only the poison is dead")
    finally:
        queue.show_again_after(180)
    assert_recorded(cloud, lives)
