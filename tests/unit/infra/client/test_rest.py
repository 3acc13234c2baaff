"""The client's requests outlast an outage, and a refusal reads well."""

import asyncio
import json

import httpx
import pytest

from infra.client import Problem, Unreachable
from infra.client.rest import Recorded
from tests.support.feed_server import api, call, problem

pytestmark = pytest.mark.anyio

APPLIED = httpx.Response(201, json={"outcome": "applied", "eventId": "e", "callId": "c", "call": None})
EVENT = {"event": "call_resumed", "callId": "c", "eventId": "e"}


async def test_an_event_is_sent_with_the_token_and_its_answer_read():
    client, made = api(APPLIED)
    answer = await client.record(EVENT)
    assert (answer.status, answer.outcome) == (201, "applied")
    assert str(made[0].url) == "http://floor/stage/api/events"
    assert made[0].headers["Authorization"] == "Bearer t0k"
    assert json.loads(made[0].content) == EVENT


@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(problem(503), id="busy"),
        pytest.param(httpx.Response(502, text="Bad gateway"), id="gateway"),
        pytest.param(httpx.ConnectError("refused"), id="no server"),
        pytest.param(httpx.ReadError("reset"), id="cut off"),
    ],
)
async def test_an_outage_is_waited_out_with_the_same_event(outage):
    client, made = api(outage, outage, APPLIED)
    assert (await client.record(EVENT)).outcome == "applied"
    assert len({request.content for request in made}) == 1
    assert client.repeats == 2


async def test_retry_after_is_honoured(monkeypatch):
    pauses = []
    monkeypatch.setattr("infra.client.rest._pause", lambda seconds: pauses.append(seconds) or asyncio.sleep(0))
    client, _ = api(httpx.Response(503, headers={"Retry-After": "3"}), APPLIED)
    await client.record(EVENT)
    assert pauses == [3]


async def test_an_event_without_an_id_is_never_sent_twice():
    client, made = api(problem(503, title="Not available"), APPLIED)
    with pytest.raises(Problem, match="503 Not available"):
        await client.record({"event": "call_resumed", "callId": "c"})
    assert len(made) == 1


async def test_patience_ends():
    client, _ = api(*[httpx.ConnectError("refused")] * 50, retry_seconds=0.4)
    with pytest.raises(Unreachable, match="http://floor/stage does not answer: refused"):
        await client.queues()


async def test_a_refusal_reads_well():
    errors = [{"field": "waitTime", "message": "must not be negative"}]
    client, _ = api(problem(400, title="The request is not valid", detail="Not valid: waitTime", errors=errors))
    with pytest.raises(Problem) as refused:
        await client.record(EVENT)
    assert str(refused.value).split("\n  ") == [
        "400 The request is not valid",
        "Not valid: waitTime",
        "waitTime: must not be negative",
    ]


@pytest.mark.parametrize("body", [b"<html>no</html>", b'"no"', b""], ids=["html", "text", "nothing"])
async def test_a_refusal_that_is_no_document_is_a_problem_too(body):
    client, _ = api(httpx.Response(404, content=body))
    with pytest.raises(Problem, match="404 Not Found"):
        await client.queues()


async def test_a_known_api_is_waited_for_when_its_gateway_is_new():
    gone = httpx.Response(404, json={"message": "Not Found"})
    client, _ = api(APPLIED, gone, gone, APPLIED)
    for _ in range(2):
        assert (await client.record(EVENT)).outcome == "applied"
    assert client.repeats == 2


async def test_a_404_of_switchboard_is_raised_at_once():
    client, _ = api(APPLIED, problem(404, title="No such call"))
    await client.record(EVENT)
    with pytest.raises(Problem, match="404 No such call"):
        await client.call("c")


async def test_many_events_get_an_answer_each():
    results = [
        {"status": 201, "outcome": "applied", "eventId": "e1", "callId": "c", "call": None},
        {"status": 409, "problem": {"title": "The event is not possible now", "detail": "The call has ended."}},
    ]
    client, made = api(httpx.Response(200, json={"results": results}))
    first, second = await client.record_many([EVENT, EVENT], history=True)
    assert made[0].url.params["history"] == "true"
    assert isinstance(first, Recorded) and first.outcome == "applied"
    assert isinstance(second, Problem) and "The call has ended." in str(second)


async def test_all_pages_are_read():
    pages = [{"data": [call("a", 1)], "nextCursor": "more"}, {"data": [call("b", 1)], "nextCursor": None}]
    client, made = api(*[httpx.Response(200, json=page) for page in pages])
    assert [item["id"] for item in await client.calls(status="waiting")] == ["a", "b"]
    assert [dict(request.url.params) for request in made] == [
        {"status": "waiting", "limit": "500"},
        {"status": "waiting", "limit": "500", "cursor": "more"},
    ]


async def test_a_poll_that_finds_nothing_new_costs_no_answer():
    changes = {"position": 7, "reset": False, "calls": [], "left": [], "agents": []}
    client, made = api(httpx.Response(200, json=changes, headers={"ETag": 'W/"t"'}), httpx.Response(304))
    assert await client.changes(5) == await client.changes(7) == changes
    assert made[1].headers["If-None-Match"] == 'W/"t"'
