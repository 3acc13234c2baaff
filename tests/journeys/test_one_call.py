"""One call, all the way: REST in, sockets out, timers in between, every function real."""

import json
import signal
import subprocess
import threading
import time
from datetime import datetime
from typing import Any

import pytest
import redis
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from infra.local import processes
from shared.contracts.trace import begun, trace_id
from tests.support.cloud import Cloud, Json, receive

LIFE: list[tuple[str, Json, str]] = [
    ("call_initiated", {"type": "voice", "queueId": "medical_spanish"}, "waiting"),
    ("call_routed", {"agentId": "interpreter-14", "routingTime": 1}, "waiting"),
    ("call_answered", {"waitTime": 4}, "active"),
    ("call_hold", {"holdDuration": 12}, "on_hold"),
    ("call_ended", {"endReason": "completed", "duration": 120}, "ended"),
]


def test_a_subscriber_sees_each_of_the_five_events_and_another_queue_sees_none(cloud: Cloud) -> None:
    call_id, other_id = cloud.new_call_id(), cloud.new_call_id()
    with cloud.socket("queue:medical_spanish") as ours, cloud.socket("queue:legal_english") as theirs:
        for event, fields, status in LIFE:
            answer = cloud.post(event, call_id, **fields)
            assert (answer.status_code, answer.json()["call"]["status"]) == (201, status)
            # A relay that is slow to note what it told tells it again: twice rather than never.
            frame = receive(ours, lambda frame, told=(call_id, event): told in events_of(frame))
            assert frame["calls"] == [answer.json()["call"]]

        cloud.post("call_initiated", other_id, type="video", queueId="legal_english")
        first = receive(theirs, lambda frame: bool(frame.get("calls")))
        assert [call["id"] for call in first["calls"]] == [other_id]
    cloud.post("call_ended", other_id, endReason="abandoned", duration=0)


def events_of(frame: Json) -> list[tuple[str, str]]:
    return [(seen["callId"], seen["type"]) for seen in frame.get("events", [])]


def test_the_floor_hears_the_seed_s_message_on_redis(cloud: Cloud) -> None:
    call_id = cloud.new_call_id()
    with redis.Redis.from_url(cloud.status["redis"]) as client, client.pubsub() as channel:
        channel.subscribe("call-status-updates")
        assert (channel.get_message(timeout=5) or {})["type"] == "subscribe"
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_english", metadata={"caller": "ward 3"})
        messages = (json.loads(message["data"]) for message in channel.listen())
        message = next(message for message in messages if message["callId"] == call_id)
    assert set(message) == {"callId", "status", "eventType", "timestamp", "metadata"}
    assert (message["status"], message["eventType"]) == ("waiting", "call_initiated")
    assert message["metadata"]["caller"] == "ward 3"
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def test_one_request_is_followed_from_its_header_to_the_frame_and_through_the_logs(cloud: Cloud) -> None:
    call_id, given = cloud.new_call_id(), begun()
    trace = trace_id(given)
    with cloud.socket("queue:medical_spanish") as socket:
        body = {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"}
        sent = cloud.http.post(f"{cloud.status['api']}/api/events", json=body, headers={"Traceparent": given})
        assert trace_id(sent.headers["traceparent"]) == trace
        frame = receive(socket, lambda frame: call_id in {call["id"] for call in frame.get("calls", [])})
        assert trace in [trace_id(traceparent) for traceparent in frame["traces"]]
    for wanted in (["--trace", given], ["--call", call_id]):
        lines = logged(cloud, *wanted, until={"ingest", "broadcast"})
        recorded = next(line for line in lines if line["message"] == "recorded 1 events")
        assert (recorded["call_id"], recorded["trace_id"]) == (call_id, trace)
        told = next(line for line in lines if line["message"].startswith("told"))
        assert (told["service"], told["call_id"]) == ("broadcast", call_id)
        assert trace in told["traces"]
        assert f"POST /api/events {sent.status_code}" in [line["message"] for line in lines]
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def logged(cloud: Cloud, *wanted: str, until: set[str]) -> list[Json]:
    """What `switchboard logs` shows, until each of these services has said something."""
    command = cloud.command("logs", "--json", "--follow", *wanted)
    lines: list[Json] = []
    with subprocess.Popen(command, env=cloud.environment, stdout=subprocess.PIPE, text=True) as reader:
        patience = threading.Timer(60, reader.kill)
        patience.start()
        try:
            assert reader.stdout
            while not until <= {line["service"] for line in lines}:
                said = reader.stdout.readline()
                assert said, f"only {lines}"
                lines.append(json.loads(said))
        finally:
            patience.cancel()
            reader.kill()
    return lines


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_token_the_socket_stays_shut(cloud: Cloud, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{cloud.status['websocket']}?token={token}"):
        pass
    assert refused.value.response.status_code in (401, 403)


def test_timers_fire_on_time_although_every_function_was_killed_in_between(exclusive_cloud: Cloud) -> None:
    cloud = exclusive_cloud
    call_id = cloud.new_call_id()
    with cloud.socket(f"call:{call_id}") as socket:
        cloud.post("call_initiated", call_id, type="voice", queueId="medical_spanish")
        routed = cloud.post("call_routed", call_id, agentId="interpreter-13", routingTime=1).json()["call"]
        cloud.kill_functions()

        def told(name: str) -> Json:
            frame = receive(socket, lambda frame: name in types(frame), seconds=40)
            return next(event for event in frame["events"] if event["type"] == name)

        def types(frame: Json) -> set[str]:
            return {event["type"] for event in frame.get("events", []) if not event["void"]}

        rerouted, breached = told("call_rerouted"), told("sla_breached")

    call = cloud.get(f"/api/calls/{call_id}")
    assert call["flags"] == ["sla_breached", "rerouted"]
    assert rerouted["metadata"]["agentId"] != "interpreter-13"
    assert lateness(rerouted, routed["offer"]["dueAt"]) < 1
    assert lateness(breached, routed["startTime"]) - 30 < 1
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def lateness(event: Json, due: str) -> float:
    """Seconds from a due time to the moment at which the system recorded the event."""
    return (datetime.fromisoformat(event["receivedAt"]) - datetime.fromisoformat(due)).total_seconds()


def test_an_outage_of_redis_loses_nothing(exclusive_cloud: Cloud) -> None:
    """Redis is killed over and over for ten seconds while a floor is played; a client ends with what REST says."""
    cloud = exclusive_cloud
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
        report, _ = floor.communicate(timeout=120)
        assert floor.returncode == 0, report
        deadline = time.monotonic() + 60
        while not same_floor(known, cloud.live_calls()):
            assert time.monotonic() < deadline, difference(known, cloud.live_calls())
            take(known, receive(socket, lambda frame: frame["type"] == "update", seconds=30))
    for call_id in cloud.live_calls():
        cloud.post("call_ended", call_id, endReason="failed", duration=0)


def kill_redis_for(cloud: Cloud, seconds: float) -> None:
    """Whoever brings it back brings it back in vain until the time is over."""
    until = time.monotonic() + seconds
    killed = 0
    while time.monotonic() < until:
        if server := processes.find(cloud.server("redis")):
            processes.stop([server], how=signal.SIGKILL)
            killed += 1
        time.sleep(0.02)
    assert killed, "there was a Redis to kill"


def take(known: dict[str, Json], frame: Json) -> None:
    for call in frame["calls"]:
        if call["version"] > known.get(call["id"], {"version": 0})["version"]:
            known[call["id"]] = call


def same_floor(known: dict[str, Json], live: dict[str, Json]) -> bool:
    return {call_id: call for call_id, call in known.items() if call["status"] != "ended"} == live


def difference(known: dict[str, Json], live: dict[str, Json]) -> Any:
    return {
        call_id: (known.get(call_id), live.get(call_id))
        for call_id in known.keys() | live.keys()
        if known.get(call_id) != live.get(call_id) and known.get(call_id, {}).get("status") != "ended"
    }
