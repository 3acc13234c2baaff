"""One request's trace: from its header through the outbox and Redis to the frame, and in the logs on the way."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import wiring
from shared.contracts.trace import new_traceparent, trace_id
from shared.usecases import tracing
from tests.support.calls import INITIATED, routed
from tests.support.cloudevents import BATCHED, ENVELOPE
from tests.support.harness import Harness
from tests.support.rest import Api
from tests.support.stage import Stage

pytestmark = pytest.mark.anyio

Staging = Callable[[Callable[[Stage], Awaitable[None]]], None]
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
GIVEN_ID = trace_id(GIVEN)


def outbox() -> list[dict[str, Any]]:
    rows = wiring.database().connection().execute("select traceparent, traces from outbox order by txid, shard")
    return [{"trace": row[0] and trace_id(row[0]), "traces": row[1]} for row in rows]


def test_a_trace_continues_in_the_outbox_and_in_the_answer(api: Api) -> None:
    status, _, headers = api.post(INITIATED, headers={"traceparent": GIVEN})
    assert (status, trace_id(headers["traceparent"])) == (201, GIVEN_ID)
    assert headers["traceparent"] != GIVEN, "the span is ours"
    api.call("PUT", "/api/agents/{agent_id}", {"name": "Ana"}, headers={"traceparent": GIVEN}, agent_id="ana")
    agent = {"event": "agent_status_changed", "agentId": "ana", "status": "away"}
    api.post([agent], headers={"traceparent": GIVEN})
    assert outbox() == [{"trace": GIVEN_ID, "traces": None}] * 3


def test_without_a_valid_one_each_request_begins_its_own(api: Api) -> None:
    sent = [None, "nonsense", f"{GIVEN},{GIVEN}"]
    for number, event in enumerate(sent):
        headers = {"traceparent": event} if event else {}
        assert api.post(INITIATED | {"callId": f"call-{number}"}, headers=headers)[0] == 201
    found = [row["trace"] for row in outbox()]
    assert all(found)
    assert len({*found, GIVEN_ID}) == len(sent) + 1


def test_an_envelope_s_own_trace_is_kept_beside_the_request_s(api: Api) -> None:
    own, on_floor = new_traceparent(), new_traceparent()
    change = {"type": "agent_status_changed", "subject": None, "data": {"agentId": "ana", "status": "away"}}
    api.call("PUT", "/api/agents/{agent_id}", {"name": "Ana"}, agent_id="ana")
    batch = [
        ENVELOPE | {"traceparent": own},
        ENVELOPE | {"id": "43", "subject": "call-2"},
        ENVELOPE | {"id": "44", "subject": "call-3", "traceparent": 7},
        ENVELOPE | {"id": "45", "traceparent": on_floor} | change,
        ENVELOPE | {"id": "47", "subject": "call-5"},
    ]
    results = api.post(batch, headers=BATCHED | {"traceparent": GIVEN})[1]["results"]
    assert [result["status"] for result in results] == [201] * 5
    traces, moved, after = outbox()[1:]
    assert moved == {"trace": trace_id(on_floor), "traces": None}
    assert traces == {"trace": GIVEN_ID, "traces": {results[0]["eventId"]: own}}
    assert after == {"trace": GIVEN_ID, "traces": None}
    binary = {f"ce-{name}": value for name, value in (ENVELOPE | {"id": "46"}).items() if isinstance(value, str)}
    sent = {"type": "voice", "queueId": "medical_spanish", "callId": "call-4"}
    _, answer, _ = api.post(sent, headers=binary | {"ce-traceparent": own, "traceparent": GIVEN})
    assert outbox()[-1] == {"trace": GIVEN_ID, "traces": {answer["eventId"]: own}}


@pytest.mark.usefixtures("api")
def test_a_message_s_trace_is_its_sender_s() -> None:
    from functions.ingest.app import from_queue

    event = {"messageAttributes": {"traceparent": {"stringValue": GIVEN, "dataType": "String"}}}
    noted = {"attributes": {"AWSTraceHeader": "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331"}}
    records = [
        {"messageId": f"m-{number}", "body": json.dumps(INITIATED | {"callId": f"call-{number}"}), **more}
        for number, more in enumerate([event, noted, {}])
    ]
    from_queue({"Records": records}, None)
    (row,) = outbox()
    traces = {event_id: trace_id(found) for event_id, found in row["traces"].items()}
    assert traces == {"m-0": GIVEN_ID, "m-1": "0af7651916cd43dd8448eb211c80319c"}
    assert row["trace"], "what brought none is in the delivery's"
    assert row["trace"] not in traces.values()


def test_each_transaction_of_the_sweep_begins_a_trace(harness: Harness) -> None:
    with tracing.under(GIVEN):
        harness.one("call_initiated", "call-1", type="voice", queueId="medical_spanish")
    harness.clock.sleep(10)
    harness.one("call_initiated", "call-2", type="voice", queueId="medical_spanish")
    for _ in range(2):
        harness.clock.sleep(25)
        assert harness.fire_due_timers() == 1
    first, *others = [trace_id(news.traceparent or "") for news in harness.published.news if news.calls]
    assert first == GIVEN_ID
    assert len({first, *others}) == 4


@pytest.mark.parametrize("is_heard", [True, False], ids=["by Redis", "by the outbox"])
async def test_a_frame_names_the_requests_that_it_tells_of(stage: Stage, is_heard: bool) -> None:
    stage.listen("dana", "queue:spanish")
    other = new_traceparent()
    with tracing.under(GIVEN):
        missed = await stage.begin("call-1")
    async with stage.relay() as running:
        await running.relay_store.until_cleared(missed)
        if is_heard:
            with tracing.under(other):
                sent = await stage.send(routed("call-1"))
            await running.relay_store.until_cleared(*sent)
    frames = stage.gateway.frames["dana"]
    assert frames[0]["traces"] == [GIVEN]
    assert [frame["traces"] for frame in frames[1:]] == ([[other]] if is_heard else [])


async def test_a_frame_names_only_requests_visible_to_its_reader(stage: Stage) -> None:
    stage.listen("dana", "queue:spanish", queues=["spanish"])
    stage.listen("theo", "queue:english", queues=["english"])
    async with stage.relay() as running:
        await running.ready()
        with tracing.under(GIVEN):
            first = await stage.begin("call-1")
        with tracing.under(other := new_traceparent()):
            second = await stage.begin("call-2", "english")
        await running.relay_store.until_cleared(first, second)
    traces = {
        name: [trace for frame in stage.gateway.frames[name] for trace in frame["traces"]] for name in ("dana", "theo")
    }
    assert traces == {"dana": [GIVEN], "theo": [other]}
