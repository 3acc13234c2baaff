"""Lists of calls: filters, orders, pages, forms."""

import csv
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from shared.adapters.auth import tokens
from shared.contracts.base import rfc3339
from tests.support.calls import ORDERS, missed, story
from tests.support.rest import KEY, Api, tell


def walk(api: Api, between: Callable[[], None] = lambda: None, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        status, page, headers = api.call("GET", "/api/calls", query=query)
        assert status == 200, page
        found += page["data"]
        if "link" not in headers:
            assert page["nextCursor"] is None
            return found
        query = dict(parse_qsl(headers["link"].removeprefix("<?").removesuffix('>; rel="next"')))
        assert query["cursor"] == page["nextCursor"]
        between()


def ids(calls: list[dict[str, Any]]) -> list[str]:
    return [call["id"] for call in calls]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({"status": "waiting"}, lambda n: n % 5 == 0),
        ({"status": "ended,waiting"}, lambda _: True),
        ({"queueId": "medical_spanish"}, lambda n: n % 2),
        ({"queueId": "medical_spanish,legal_english"}, lambda _: True),
        ({"agentId": "agent-1"}, lambda n: n % 3 == 1 and n % 5 and n % 4),
        ({"agentId": "-"}, lambda n: not (n % 5 and n % 4)),
        ({"language": "es"}, lambda n: n % 3 == 0),
        ({"language": "-"}, lambda n: n % 3),
        ({"type": "video"}, lambda n: n % 7 == 0),
        ({"flag": "short_call"}, lambda n: n % 5 and n % 4 and 5 + n % 11 < 10),
        ({"flag": "sla_breached,short_call"}, lambda n: n % 5 and n % 4 and (20 + n > 30 or 5 + n % 11 < 10)),
        ({"noFlag": "sla_breached", "answered": "true"}, lambda n: n % 5 and n % 4 and 20 + n <= 30),
        ({"endReason": "abandoned"}, lambda n: n % 5 and n % 4 == 0),
        ({"answered": "false"}, lambda n: not (n % 5 and n % 4)),
        ({"waited": "true"}, lambda n: n % 5),
        ({"id": "call-01"}, lambda n: 10 <= n < 20),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00+02:00"}, lambda _: False),
        ({"from": "2026-01-01T00:00:00Z"}, lambda _: True),
    ],
    ids=lambda value: ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_filter_returns_exactly_the_matching_calls(api: Api, query: dict, chosen: Callable[[int], Any]) -> None:
    tell(api, range(60))
    expected = {f"call-{number:03}" for number in range(60) if chosen(number)}
    assert sorted(ids(walk(api, limit="7", **query))) == sorted(expected)


@pytest.mark.parametrize("order", ORDERS)
def test_pages_in_any_order_are_the_list_in_that_order(api: Api, order: str) -> None:
    tell(api, range(40))
    calls = {call["id"]: call for call in walk(api, limit="500")}

    def key(call: dict[str, Any]) -> Any:
        values = {"start": call["startTime"], "wait": call["waitSeconds"], "duration": call["durationSeconds"]}
        return (call["deadline"] or {}).get("dueAt", "9") if order == "urgency" else values[order.lstrip("-")]

    listed = walk(api, sort=order, limit="3")
    shown = [call for call in calls.values() if (not call["endTime"] if order == "urgency" else key(call) is not None)]
    assert sorted(ids(listed)) == sorted(ids(shown))
    keys = [key(call) for call in listed]
    assert keys == sorted(keys, reverse=order.startswith("-"))


def test_a_cursor_is_valid_for_its_own_list_only(api: Api) -> None:
    tell(api, range(6))
    cursor = api.call("GET", "/api/calls", query={"limit": "2"})[1]["nextCursor"]
    other = cursor[:-4] + ("AAAA" if cursor[-4:] != "AAAA" else "BBBB")
    asked = [{"cursor": other}, {"cursor": cursor, "status": "ended"}, {"cursor": cursor, "sort": "start"}]
    asked += [{"cursor": cursor[: random.Random(7).randrange(len(cursor))]}, {"cursor": "é"}, {"cursor": "A" * 3000}]
    for query in asked:
        status, problem, _ = api.call("GET", "/api/calls", query=query)
        assert (status, problem["errors"][0]["field"]) == (400, "cursor"), query
    assert api.call("GET", "/api/calls", query={"cursor": cursor, "limit": "9", "fields": "id"})[0] == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queueID", "x"),
        ("sort", "name"),
        ("sort", "id"),
        ("from", "5"),
        ("from", "2026-01-01"),
        ("to", "2026-01-01T00:00:00"),
        ("from", "0001-01-01T00:00:00+10:00"),
        ("answered", "1"),
        ("fields", "id,secret"),
        ("id", "a/b"),
        ("endReason", "bored"),
        ("limit", "5.0"),
        ("format", "xml"),
        ("queueId", ""),
        ("status", "ended,"),
        ("fields", ""),
    ],
)
def test_an_invalid_parameter_is_named(api: Api, name: str, value: str) -> None:
    status, problem, _ = api.call("GET", "/api/calls", query={name: value})
    assert (status, problem["errors"][0]["field"]) == (400, name)


def test_an_unchanged_list_answers_304(api: Api) -> None:
    tell(api, range(3))
    for resource, path in [("/api/calls", {}), ("/api/calls/{call_id}", {"call_id": "call-001"}), ("/api/queues", {})]:
        tag = api.call("GET", resource, **path)[2]["etag"]
        assert api.raw("GET", resource, headers={"if-none-match": f'"x", {tag}'}, **path)["statusCode"] == 304
    api.post({"event": "call_initiated", "callId": "one-more", "type": "voice", "queueId": "legal_english"})
    tag = api.call("GET", "/api/calls")[2]["etag"]
    tell(api, range(3, 4))
    assert api.call("GET", "/api/calls", headers={"if-none-match": tag})[0] == 200


def test_the_last_page_s_tag_changes_when_a_page_follows(api: Api) -> None:
    api.post([story(0)[0], story(1)[0]])
    query = {"sort": "start", "limit": "2"}
    _, page, headers = api.call("GET", "/api/calls", query=query)
    assert page["nextCursor"] is None
    api.post(story(2)[0])
    status, page, _ = api.call("GET", "/api/calls", query=query, headers={"if-none-match": headers["etag"]})
    assert (status, bool(page["nextCursor"])) == (200, True)


def test_fields_are_chosen(api: Api) -> None:
    tell(api, range(2))
    assert api.call("GET", "/api/calls", query={"fields": "status,id", "sort": "start"})[1]["data"] == [
        {"status": "waiting", "id": "call-000"},
        {"status": "ended", "id": "call-001"},
    ]


def test_an_export_is_read_page_by_page_and_joined(api: Api) -> None:
    tell(api, range(20))
    api.post({"event": "call_initiated", "callId": "=1+1", "type": "voice", "queueId": "legal_english"})
    calls = walk(api)

    def export(form: str, **query: str) -> str:
        text = ""
        while True:
            answer = api.raw("GET", "/api/calls", query={"limit": "6", **query}, headers={"accept": form})
            assert answer["headers"]["Content-Type"].startswith(form)
            text += answer["body"]
            if not (link := answer["headers"].get("Link")):
                return text
            query = dict(parse_qsl(link.removeprefix("<?").removesuffix('>; rel="next"')))

    assert [json.loads(line) for line in export("application/x-ndjson").splitlines()] == calls
    rows = list(csv.DictReader(io.StringIO(export("text/csv"))))
    assert [row["id"].removeprefix("'") for row in rows] == ids(calls)
    assert {row["id"] for row in rows} >= {"'=1+1"}, "a spreadsheet must not take an id for a formula"
    assert [json.loads(row["flags"]) for row in rows] == [call["flags"] for call in calls]


def test_a_page_is_no_longer_than_a_function_may_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.usecases.reading.reads.MAX_PAGE_BYTES", 1500)
    tell(api, range(12))
    assert len(ids(walk(api, limit="500"))) == 12
    assert len(api.call("GET", "/api/calls", query={"limit": "500"})[1]["data"]) < 12


def test_figures_lead_to_exactly_the_calls_that_they_count(api: Api) -> None:
    tell(api, range(60))
    asked = {"groupBy": "queue,language,agent,type", "bucket": "1h"}
    status, answer, _ = api.call("GET", "/api/metrics", query=asked)
    assert status == 200
    counted = ("offered", "answered", "answeredInTime", "abandoned", "shortAbandons", "failed", "slaBreached")
    for row in answer["data"]:
        for figure in (*counted, "handled", "shortCalls", "holdExceeded", "missed", "transferred", "held"):
            found = walk(api, **dict(parse_qsl(row["links"][figure].partition("?")[2])))
            assert len(found) == row[figure], (figure, row["links"][figure])
    assert sum(row["offered"] for row in answer["data"]) == 60


@pytest.mark.parametrize("name", ["from", "to"])
def test_a_range_below_a_millisecond_counts_the_calls_it_lists(api: Api, name: str) -> None:
    for micros in (100, 300):
        api.post(story(micros)[0] | {"occurredAt": f"2026-01-31T12:00:00.000{micros}Z"})
    asked = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z", name: "2026-01-31T12:00:00.000200Z"}
    (row,) = api.call("GET", "/api/metrics", query=asked)[1]["data"]
    found = walk(api, **dict(parse_qsl(row["links"]["offered"].partition("?")[2])))
    assert len(found) == row["offered"] == {"from": 2, "to": 0}[name]


def test_a_miss_counts_for_the_agent_who_missed_the_call(api: Api) -> None:
    stories = {
        "taken": missed("taken", "ana", taken_by="ben"),
        "twice": missed("twice", "ana", "ana", taken_by="ana"),
        "both": missed("both", "ana", "ben"),
        "null": missed("null", "null", taken_by="ana"),  # an agent's id, and no SQL
        "none": missed("none", taken_by="ben"),
    }
    answered = api.post([event for events in stories.values() for event in events])[1]["results"]
    assert {result["status"] for result in answered} == {201}
    figures = {"rona": 0, "missed": 0, "answered": 0}
    rows = api.call("GET", "/api/metrics", query={"groupBy": "agent"})[1]["data"]
    found = {row["agentId"]: {name: row[name] for name in figures} for row in rows}
    assert found == {
        "ana": {"rona": 4, "missed": 3, "answered": 2},
        "ben": {"rona": 1, "missed": 1, "answered": 2},
        "null": {"rona": 1, "missed": 1, "answered": 0},
        None: {"rona": 0, "missed": 0, "answered": 0},
    }
    (of_two,) = api.call("GET", "/api/metrics", query={"agentId": "ana,ben"})[1]["data"]
    assert {name: of_two[name] for name in figures} == {"rona": 5, "missed": 3, "answered": 4}
    (of_all,) = api.call("GET", "/api/metrics")[1]["data"]
    assert {name: of_all[name] for name in figures} == {"rona": 6, "missed": 4, "answered": 4}
    for row in (*rows, of_two, of_all):
        for figure in ("missed", "rona"):
            calls = walk(api, **dict(parse_qsl(row["links"][figure].partition("?")[2])))
            assert len(calls) == row["missed"], row["links"][figure]
    assert sorted(ids(walk(api, missedBy="ana"))) == ["both", "taken", "twice"]
    assert sorted(ids(walk(api, missedBy="ana,null", agentId="ana"))) == ["null", "twice"]


def test_a_ringing_call_belongs_to_the_agent_it_is_offered_to(api: Api) -> None:
    api.post([story(1)[0], story(2)[0], story(1)[1] | {"agentId": "ana"}])
    for agent in ("ana", "-"):
        shown = api.call("GET", "/api/metrics", query={"agentId": agent})[1]
        found = ids(walk(api, status="waiting", agentId=agent))
        assert (shown["data"][0]["offered"], shown["now"]["waiting"], len(found)) == (1, 1, 1), agent
    rows = api.call("GET", "/api/metrics", query={"groupBy": "agent"})[1]["data"]
    assert [(row["agentId"], row["offered"]) for row in rows] == [("ana", 1), (None, 1)]


def test_a_transferred_call_waits_since_the_transfer(api: Api) -> None:
    began = datetime.now(UTC) - timedelta(seconds=300)

    def event_at(event: str, second: int, **fields: Any) -> dict[str, Any]:
        at = (began + timedelta(seconds=second)).isoformat()
        return {"event": event, "callId": "c", "occurredAt": at, **fields}

    def waits_since(second: int) -> bool:
        """As far as the call says, and the gauge beside a clock that goes on."""
        before = datetime.now(UTC)
        waited = timedelta(seconds=api.call("GET", "/api/metrics")[1]["now"]["longestCurrentWait"])
        since = began + timedelta(seconds=second)
        shown = api.call("GET", "/api/calls/{call_id}", call_id="c")[1]["waitingSince"]
        return shown == rfc3339(since) and before - since <= waited <= datetime.now(UTC) - since

    api.post([event_at("call_initiated", 0, type="voice", queueId="legal_english")])
    api.post([event_at("call_routed", 1, agentId="ana", routingTime=1)])
    assert waits_since(0)
    api.post([event_at("call_answered", 2, waitTime=2)])
    assert api.call("GET", "/api/calls/{call_id}", call_id="c")[1]["waitingSince"] is None
    assert api.call("GET", "/api/metrics")[1]["now"]["longestCurrentWait"] == 0
    api.post([event_at("call_transferred", 200)])
    assert waits_since(200)
    api.post([event_at("call_routed", 250, agentId="bea", routingTime=1)])
    assert waits_since(200)


def test_a_call_dated_in_the_future_has_not_waited_yet(api: Api) -> None:
    ahead = (datetime.now(UTC) + timedelta(seconds=200)).isoformat()
    api.post([story(5)[0] | {"occurredAt": ahead}])
    now = api.call("GET", "/api/metrics")[1]["now"]
    assert (now["waiting"], now["longestCurrentWait"]) == (1, 0)


def test_a_narrow_token_is_shown_the_figures_of_its_queues(api: Api) -> None:
    tell(api, range(60))
    narrow = tokens.mint(KEY, role="supervisor", queues=("legal_english",))
    (row,) = api.call("GET", "/api/metrics", token=narrow)[1]["data"]
    assert row["offered"] == 30
    (none,) = api.call("GET", "/api/metrics", token=narrow, query={"queueId": "medical_spanish"})[1]["data"]
    assert (none["offered"], none["asa"], none["serviceLevel"]["ofOffered"]) == (0, None, None)
    assert api.call("GET", "/api/metrics", token=narrow)[1]["now"]["waiting"] == 6


@pytest.mark.parametrize(
    "asked",
    [
        {"to": "0001-01-01T00:30:00Z"},
        {"from": "0001-01-01T00:00:00Z", "to": "0001-06-01T00:00:00Z", "zone": "-05:00"},
        {"from": "9999-12-31T23:59:58Z", "to": "9999-12-31T23:59:59Z"},
    ],
)
def test_figures_of_the_edge_of_the_calendar_are_refused(api: Api, asked: dict[str, str]) -> None:
    status, problem, _ = api.call("GET", "/api/metrics", query=asked)
    assert (status, problem["errors"][0]["field"]) == (400, next(iter(asked)))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"from": "2200-01-01T00:00:00Z"}, "from"),
        ({"from": "2020-01-01T00:00:00Z"}, "from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2022-01-01T00:00:00Z"}, "to"),
        ({"to": "2200-01-01T00:00:00Z"}, "to"),
        ({"groupBy": "language"}, "groupBy"),
        ({"groupBy": "language", "bucket": "1d"}, "bucket"),
    ],
)
def test_an_impossible_range_names_a_parameter_of_the_request(
    api: Api, asked: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(api, range(4))
    monkeypatch.setattr("shared.usecases.reading.figures.MAX_ROWS", 1)
    status, problem, _ = api.call("GET", "/api/metrics", query=asked)
    assert (status, [error["field"] for error in problem["errors"]]) == (400, [named])


@pytest.mark.parametrize(
    ("name", "value"),
    [("zone", "Mars/Base"), ("zone", "x;y"), ("bucket", "2m"), ("groupBy", "sex"), ("to", "1999-01-01T00:00:00Z")],
)
def test_a_parameter_of_figures_that_is_not_valid_is_named(api: Api, name: str, value: str) -> None:
    status, problem, _ = api.call("GET", "/api/metrics", query={"from": "2026-01-01T00:00:00Z", name: value})
    assert (status, problem["errors"][0]["field"]) == (400, name)
