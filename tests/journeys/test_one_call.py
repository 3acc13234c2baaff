"""One call, all the way: REST in, sockets out, timers in between, every function real."""

import json
import subprocess
import threading

import pytest
import redis
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from shared.contracts.trace import new_traceparent, trace_id
from tests.support.calls import steps_of
from tests.support.cloud import FRAME_SECONDS, Cloud, Json, receive


def test_only_the_queue_s_subscribers_see_the_five_events(cloud: Cloud, queue: str, agent: str) -> None:
    call_id, other_id, other = cloud.new_call_id(), cloud.new_call_id(), cloud.new_queue()
    with cloud.socket(f"queue:{queue}") as ours, cloud.socket(f"queue:{other}") as theirs:
        for event, fields, status in steps_of(queue, agent):
            answer = cloud.post(event, call_id, **fields)
            assert (answer.status_code, answer.json()["call"]["status"]) == (201, status)
            # A relay that acknowledges late may send an update twice.
            frame = receive(ours, lambda frame, sent=(call_id, event): sent in events_of(frame))
            assert frame["calls"] == [answer.json()["call"]]

        cloud.post("call_initiated", other_id, type="video", queueId=other)
        first = receive(theirs, lambda frame: bool(frame.get("calls")))
        assert [call["id"] for call in first["calls"]] == [other_id]
    cloud.end_calls(other_id)


def events_of(frame: Json) -> list[tuple[str, str]]:
    return [(seen["callId"], seen["type"]) for seen in frame.get("events", [])]


def test_the_floor_hears_the_seed_s_message_on_redis(cloud: Cloud, queue: str) -> None:
    call_id = cloud.new_call_id()
    with redis.Redis.from_url(cloud.status["redis"]) as client, client.pubsub() as channel:
        channel.subscribe("call-status-updates")
        assert (channel.get_message(timeout=FRAME_SECONDS) or {})["type"] == "subscribe"
        cloud.post("call_initiated", call_id, type="voice", queueId=queue, metadata={"caller": "ward 3"})
        messages = (json.loads(message["data"]) for message in channel.listen())
        message = next(message for message in messages if message["callId"] == call_id)
    assert set(message) == {"callId", "status", "eventType", "timestamp", "metadata"}
    assert (message["status"], message["eventType"]) == ("waiting", "call_initiated")
    assert message["metadata"]["caller"] == "ward 3"
    cloud.end_calls(call_id)


def test_a_trace_leads_from_the_header_to_the_frame_and_the_logs(cloud: Cloud, queue: str) -> None:
    call_id, given = cloud.new_call_id(), new_traceparent()
    trace = trace_id(given)
    with cloud.socket(f"queue:{queue}") as socket:
        body = {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": queue}
        sent = cloud.http.post("/api/events", json=body, headers={"Traceparent": given})
        assert trace_id(sent.headers["traceparent"]) == trace
        frame = receive(socket, lambda frame: call_id in {call["id"] for call in frame.get("calls", [])})
        assert trace in [trace_id(traceparent) for traceparent in frame["traces"]]
    answered = f"POST /api/events {sent.status_code}"
    for wanted in (["--trace", given], ["--call", call_id]):
        lines = logged(cloud, *wanted, until=("recorded 1 events", answered, "delivered"))
        assert (lines["recorded 1 events"]["call_id"], lines["recorded 1 events"]["trace_id"]) == (call_id, trace)
        assert (lines["delivered"]["service"], lines["delivered"]["call_id"]) == ("broadcast", call_id)
        assert trace in lines["delivered"]["traces"]
        assert lines[answered]["service"] == "ingest"
    cloud.end_calls(call_id)


def logged(cloud: Cloud, *wanted: str, until: tuple[str, ...]) -> dict[str, Json]:
    """Follow `switchboard logs` until a line begins with each of these. Returns the first line of each."""
    found: dict[str, Json] = {}
    lines: list[str] = []
    command = cloud.command("logs", "--json", "--follow", *wanted)
    with subprocess.Popen(command, env=cloud.environment, stdout=subprocess.PIPE, text=True) as reader:
        limit = threading.Timer(FRAME_SECONDS, reader.kill)
        limit.start()
        try:
            assert reader.stdout
            while missing := [beginning for beginning in until if beginning not in found]:
                lines.append(reader.stdout.readline())
                assert lines[-1], f"{missing} did not come: {lines}"
                line = json.loads(lines[-1])
                found |= {beginning: line for beginning in missing if line["message"].startswith(beginning)}
        finally:
            limit.cancel()
            reader.kill()
    return found


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_token_the_socket_stays_shut(cloud: Cloud, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{cloud.status['websocket']}?token={token}"):
        pass
    assert refused.value.response.status_code in (401, 403)
