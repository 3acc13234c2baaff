"""Faults under load: what was sent is on record once, and a client ends with what REST says, without a reload by hand.

All tests that damage a cloud, or change what runs, are in this file: it runs in one process, so none waits for another
one's lock on the cloud.
"""

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import psutil
import psycopg
import pytest
import redis

from infra.machine import ports, processes
from tests.support import shared
from tests.support.cloud import COMMAND_SECONDS, Cloud, Json, receive
from tests.support.load import life, loaded
from tests.support.problems import PAGE, assert_problem
from tests.support.waiting import wait_for


@pytest.fixture(scope="module", autouse=True)
def stopped_at_the_end(clouds_folder: Path) -> Iterator[None]:
    """A second cloud that idles until the run ends would cost the other tests their processor time."""
    yield
    shared.stop(clouds_folder, "exclusive")


@pytest.fixture
def cloud(exclusive_cloud: Cloud) -> Cloud:
    """What fails here fails for this test alone."""
    return exclusive_cloud


def kill(cloud: Cloud, name: str) -> None:
    """Kill a server with its children, and wait until the cloud's owner has brought it back."""
    before = cloud.server(name)
    server = psutil.Process(before["pid"])
    processes.stop([server, *server.children(recursive=True)], how=signal.SIGKILL)
    await_return(cloud, name, before)


def await_return(cloud: Cloud, name: str, before: Json) -> None:
    log = cloud.files.logs / "watch.log"
    wait_for(lambda: cloud.server(name) != before, f"{name} is started again", log=log)


# --- deployments ---


def test_the_code_can_be_deployed_again_while_it_runs(cloud: Cloud) -> None:
    done = cloud.run("deploy", "--local")
    assert done.returncode == 0, done.stderr
    assert cloud.get("/api/queues")["data"]


@pytest.mark.contract
def test_a_rotated_key_signs_and_older_tokens_still_open(cloud: Cloud) -> None:
    before = cloud.status["token"]
    assert cloud.run("token", "rotate").returncode == 0
    after = cloud.files.read_state()["token"]
    for token in (before, after):
        answer = cloud.http.get("/api/queues", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
    key_ids = {jwt.get_unverified_header(token)["kid"] for token in (before, after)}
    assert len(key_ids) == 2


def test_a_changed_api_keeps_its_address(cloud: Cloud) -> None:
    edge = cloud.status["aws"]
    cloudformation, s3 = cloud.aws("cloudformation"), cloud.aws("s3")
    as_it_is = json.dumps(cloudformation.get_template(StackName="switchboard")["TemplateBody"])
    changed = as_it_is.replace("Try again in a moment.", "Try again in a second.")
    assert changed != as_it_is
    s3.create_bucket(Bucket="changed")
    s3.put_object(Bucket="changed", Key="template.json", Body=changed.encode())
    (stack,) = cloudformation.describe_stacks(StackName="switchboard")["Stacks"]
    cloudformation.update_stack(
        StackName="switchboard",
        TemplateURL=f"{edge}/changed/template.json",
        Parameters=[{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in stack["Parameters"]],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName="switchboard", WaiterConfig={"Delay": 0.2, "MaxAttempts": int(COMMAND_SECONDS / 0.2)})
    assert cloud.get("/api/queues")["data"]


def test_too_many_requests_get_429_and_may_retry_later(cloud: Cloud) -> None:
    gateway = cloud.aws("apigateway")
    api = cloud.status["api"].rstrip("/").split("/")[-2]
    route = "/~1api~1docs/GET"
    none = [
        {"op": "replace", "path": f"{route}/throttling/{limit}", "value": "0"} for limit in ("rateLimit", "burstLimit")
    ]
    gateway.update_stage(restApiId=api, stageName="live", patchOperations=none)
    refused = cloud.http.get("/api/docs", headers=PAGE)
    assert_problem(refused, 429)
    assert int(refused.headers["retry-after"]) > 0
    gateway.update_stage(restApiId=api, stageName="live", patchOperations=[{"op": "remove", "path": route}])
    assert cloud.http.get("/api/docs", headers=PAGE).status_code == 200


# --- a server or all functions are killed ---


def test_a_killed_redis_comes_back_at_its_address(cloud: Cloud) -> None:
    cloud.files.write_state(cloud.files.read_state() | {"token": cloud.token()})  # as another command does
    before = cloud.files.read_state()
    killed = before["processes"]["redis"]
    with loaded(cloud):
        os.kill(killed["pid"], signal.SIGKILL)
        assert ports.claim(before["ports"]["redis"]) != before["ports"]["redis"], "no other run takes its port"
        await_return(cloud, "redis", killed)
    assert not psutil.pid_exists(killed["pid"]), "its end is noted"
    assert cloud.await_healthy()["parts"]["redis"] == "ok"
    after = cloud.files.read_state()
    assert after["redis"] == before["redis"]
    assert after["token"] == before["token"], "the values that another command wrote are kept"


def test_a_killed_postgres_comes_back_and_senders_repeat(cloud: Cloud) -> None:
    with loaded(cloud) as load:
        kill(cloud, "postgres")
    assert load.repeats, "senders saw the outage, and sent again"


HEARTBEATS = """
select count(*) from (
    select max(alive_until) as until from heartbeats where name = 'sweep' union all select min(expires_at) from leases
) as heartbeats where until > %s
"""
"""How many of sweep and relay say that they are alive at this time. Each says so for less than three seconds."""

LATE = 10
"""The sweep looks every second at most; a busy machine may need ten times as long."""


def kill_functions(cloud: Cloud) -> datetime:
    """Kill every function. Returns when sweep and relay were seen at work again."""
    cloud.kill_functions()
    killed_at = datetime.now(UTC)
    with psycopg.connect(cloud.status["database"], autocommit=True) as connection:
        heartbeats = partial(connection.execute, HEARTBEATS, [killed_at + timedelta(seconds=3)])
        wait_for(lambda: heartbeats().fetchone() == (2,), "sweep and relay work again", cloud.files.function_log)
    return datetime.now(UTC)


@pytest.mark.parametrize(
    ("answer_seconds", "wait_seconds"),
    [(6, 9), pytest.param(15, 30, marks=pytest.mark.deep)],
    ids=["short limits", "the default limits"],
)
def test_timers_fire_on_time_after_all_functions_were_killed(
    cloud: Cloud, answer_seconds: float, wait_seconds: float
) -> None:
    """Another agent is offered the call when the first has not answered; the wait breaches the queue's limit. What
    senders send in this time is on record once.

    On a busy machine, functions may need longer to return than the limits last: then timers fire as soon as they do.
    """
    queue = cloud.new_queue(answerSeconds=answer_seconds, slaSeconds=wait_seconds)
    first, _ = cloud.new_agent(queue), cloud.new_agent(queue)
    call_id = cloud.new_call_id()
    with loaded(cloud), cloud.socket(f"call:{call_id}") as socket:
        cloud.post("call_initiated", call_id, type="voice", queueId=queue)
        routed = cloud.post("call_routed", call_id, agentId=first, routingTime=1).json()["call"]
        back_at = kill_functions(cloud)
        events: dict[str, Json] = {}
        while not events.keys() >= {"call_rerouted", "sla_breached"}:
            frame = receive(socket, lambda frame: frame["type"] == "update")
            events |= {event["type"]: event for event in frame["events"] if not event["void"]}
    rerouted, breached = events["call_rerouted"], events["sla_breached"]

    call = cloud.get(f"/api/calls/{call_id}")
    assert sorted(call["flags"]) == ["rerouted", "sla_breached"]
    assert rerouted["metadata"]["agentId"] != first
    assert lateness(rerouted, max(moment(routed["offer"]["dueAt"]), back_at)) < LATE
    assert lateness(breached, max(moment(routed["startTime"]) + timedelta(seconds=wait_seconds), back_at)) < LATE
    cloud.end_calls(call_id)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def lateness(event: Json, due: datetime) -> float:
    """Seconds from a due time to the moment at which the system recorded the event."""
    return (moment(event["receivedAt"]) - due).total_seconds()


def relays(cloud: Cloud) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(cloud.server("aws")["pid"]).children(recursive=True):
        with suppress(psutil.Error):  # it may just have ended
            if "switchboard-relay" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.deep)])
def test_redis_is_emptied_and_all_relays_are_gone_at_once(cloud: Cloud, times: int) -> None:
    with loaded(cloud) as load:
        for _ in range(times):
            wait_for(lambda: relays(cloud), "a relay works")
            before = cloud.server("redis")
            processes.stop([psutil.Process(before["pid"]), *relays(cloud)], how=signal.SIGKILL)
            await_return(cloud, "redis", before)
            load.live_on(3)


# --- Redis is away or full ---


@pytest.mark.deep
def test_an_outage_of_redis_loses_nothing(cloud: Cloud) -> None:
    """Redis is killed over and over for ten seconds while a floor is played; a client ends with what REST says."""
    floor = subprocess.Popen(
        cloud.command("simulate", "--calls-per-minute", "240", "--duration", "20", "--leave-open", "--seed", "7"),
        env=cloud.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    queues = [f"queue:{queue['id']}" for queue in cloud.get("/api/queues")["data"]]
    known: dict[str, Json] = {}
    with cloud.socket(*queues) as socket:
        known |= cloud.live_calls()
        kill_redis_for(cloud, seconds=10)
        report, _ = floor.communicate(timeout=COMMAND_SECONDS)
        assert floor.returncode == 0, report
        deadline = time.monotonic() + COMMAND_SECONDS
        while (shown := {i: call for i, call in known.items() if call["status"] != "ended"}) != cloud.live_calls():
            assert time.monotonic() < deadline, shown
            for call in receive(socket, lambda frame: frame["type"] == "update")["calls"]:
                if call["version"] > known.get(call["id"], {"version": 0})["version"]:
                    known[call["id"]] = call
    cloud.end_calls(*cloud.live_calls())


def kill_redis_for(cloud: Cloud, seconds: float) -> None:
    """Each time that it is brought back, it is killed again, until the time is over."""
    until = time.monotonic() + seconds
    killed = 0
    while time.monotonic() < until:
        if server := processes.find(cloud.server("redis")):
            processes.stop([server], how=signal.SIGKILL)
            killed += 1
        time.sleep(0.02)
    assert killed, "there was a Redis to kill"


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
            load.live_on(3)
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("save", "")
            client.config_set("dir", before)


# --- senders and the queue in front ---


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_sender_s_clock_is_wrong(cloud: Cloud, minutes: int) -> None:
    with loaded(cloud, skew=timedelta(minutes=minutes)) as load:
        load.live_on(2)


class Queue:
    """The queue in front, spoken to as senders do."""

    def __init__(self, cloud: Cloud) -> None:
        self._sqs = cloud.aws("sqs")
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


def messages(cloud: Cloud, calls: int) -> dict[str, list[dict[str, Any]]]:
    """The events of ended calls, by call. Each event names its time, because a queue keeps no order."""
    queue_id, run = cloud.new_queue(), uuid.uuid4().hex[:6]
    lives = {f"queued-{run}-{n}": life(f"queued-{run}-{n}", f"queued-{run}-{n % 4}", queue_id) for n in range(calls)}
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
        recorded = [event["id"] for event in history if event["source"] == "telephony"]
        assert sorted(recorded) == sorted(event["eventId"] for event in events)
        assert cloud.get(f"/api/calls/{call_id}")["status"] == "ended"


def test_the_queue_delivers_everything_twice(cloud: Cloud) -> None:
    queue, lives = Queue(cloud), messages(cloud, 8)
    bodies = [json.dumps(event) for events in lives.values() for event in events]
    queue.send(bodies)
    queue.send(bodies)
    wait_for(lambda: queue.left() == 0, "the queue is empty")
    assert_recorded(cloud, lives)


@pytest.mark.parametrize("calls", [20, pytest.param(100, marks=pytest.mark.deep)])
def test_a_poison_message_spoils_no_other(cloud: Cloud, calls: int) -> None:
    """One in the middle of five times so many messages."""
    queue, lives = Queue(cloud), messages(cloud, calls)
    bodies = [json.dumps(event) for events in lives.values() for event in events]
    bodies.insert(len(bodies) // 2, '{"event": "call_initiated", "callId": ')
    dead_before = queue.left("-dead")
    queue.show_again_after(1)
    try:
        queue.send(bodies)
        wait_for(lambda: (queue.left(), queue.left("-dead") - dead_before) == (0, 1), "only the poison is dead")
    finally:
        queue.show_again_after(180)
    assert_recorded(cloud, lives)


# --- afterwards ---


def test_the_doctor_finds_nothing_ill_and_logs_follow_a_call(cloud: Cloud) -> None:
    wait_for(lambda: cloud.get("/api/health/deep")["status"] == "ok", "what failed in another test works again")
    examined = cloud.run("doctor", "--json")
    found = {finding["what"]: finding["health"] for finding in map(json.loads, examined.stdout.splitlines())}
    assert (examined.returncode, set(found.values())) == (0, {"well"}), examined.stdout
    assert found.keys() >= {"token", "api", "clock", "postgres", "redis", "sweep", "relay", "dashboard", "socket"}
    assert found["schema"] == "well"
    call_id = cloud.new_call_id()
    begun = cloud.post("call_initiated", call_id, type="voice", queueId=cloud.new_queue())
    assert begun.status_code == 201
    wait_for(  # it is on its way from the function's process to the file
        lambda: "recorded 1 events" in cloud.run("logs", "--call", call_id).stdout, "the log tells of the call"
    )
    assert "errors." in cloud.run("doctor", "--api", "http://127.0.0.1:1", "--token", "none").stdout
