"""A call log, read as calls and as events: every trap of the format on rows of our own, and the real day if at hand."""

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from infra.client import Api
from infra.simulator.call_log import CallLogError, LoggedCall, NoCall, UnreadableRow, day_in, events, read
from infra.simulator.playback import BATCH, Playback, at_once, in_order
from infra.simulator.tally import Figures, survey

DAY = date(2001, 3, 4)
HEADER = (
    "vru+line,call_id,type,vru_entry,vru_exit,vru_time,q_start,q_exit,q_time,outcome,ser_start,ser_exit,ser_time,server"
)
WIDE_HEADER = HEADER.replace("call_id,type", "call_id,customer_id,priority,type,date")
SERVED = "AA0101,7,PS,9:00:00,9:00:10,10,9:00:10,9:00:52,42,AGENT,9:00:51,9:02:00,69,agent-01"
AT_ONCE = "AA0102,8,PE,9:00:00,9:00:10,10,0:00:00,0:00:00,0,AGENT,9:00:10,9:00:15,5,agent-02"
GAVE_UP = "AA0103,9,PS,9:00:00,9:00:10,10,9:00:10,9:00:41,31,HANG,0:00:00,0:00:00,0,NO_SERVER"
REAL_DAY = Path(__file__).parents[5] / "shared" / "data" / "technion-1999-08-01.csv"


def at(hour, minute, second, day=4):
    return datetime(2001, 3, day, hour, minute, second, tzinfo=UTC)


def entries(*rows, header: str | None = HEADER, day=DAY):
    return list(read([f"{row}\r\n" for row in ([header] if header else []) + list(rows)], day))


def the_call(row, **options):
    [call] = entries(row, **options)
    assert isinstance(call, LoggedCall), call
    return call


def changed(row, **cells):
    named = dict(zip(HEADER.split(","), row.split(","), strict=True)) | cells
    return ",".join(named.values())


def test_a_served_call_waits_from_the_start_of_its_queue():
    assert the_call(SERVED) == LoggedCall("2001-03-04-AA0101-7-090000", "PS", at(9, 0, 10), 42, "agent-01", 69)


def test_a_call_that_never_queued_begins_where_it_left_the_menu():
    assert the_call(AT_ONCE) == LoggedCall("2001-03-04-AA0102-8-090000", "PE", at(9, 0, 10), 0, "agent-02", 5)


def test_an_abandoned_call_has_no_agent():
    assert the_call(GAVE_UP) == LoggedCall("2001-03-04-AA0103-9-090000", "PS", at(9, 0, 10), 31, None, 0)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(changed(GAVE_UP, q_time="0"), id="hung up at the menu"),
        pytest.param(changed(SERVED, outcome="PHANTOM"), id="phantom"),
        pytest.param(changed(GAVE_UP, q_time="-5"), id="negative wait"),
    ],
)
def test_rows_that_never_reached_a_queue_are_no_calls(row):
    assert entries(row) == [NoCall()]


def test_a_call_with_an_unknown_server_was_answered():
    assert the_call(changed(SERVED, server="NO_SERVER")).agent_id == "NO_SERVER"


@pytest.mark.parametrize(
    ("cells", "initiated_at"),
    [
        pytest.param({"vru_entry": "9:01:37", "vru_exit": "9:00:10", "vru_time": "-87"}, at(9, 0, 10), id="queued"),
        pytest.param({"vru_exit": "8:59:10", "vru_time": "-50", "q_time": "0"}, at(9, 0, 0), id="straight through"),
    ],
)
def test_a_menu_left_before_it_was_entered_took_no_time(cells, initiated_at):
    assert the_call(changed(SERVED, **cells)).initiated_at == initiated_at


@pytest.mark.parametrize(
    ("row", "initiated_at"),
    [
        pytest.param(
            changed(SERVED, vru_entry="23:59:50", q_start="0:00:05"), at(0, 0, 5, day=5), id="queued after it"
        ),
        pytest.param(
            changed(SERVED, vru_entry="23:59:50", q_start="0:00:00"), at(0, 0, 0, day=5), id="queued on the dot"
        ),
        pytest.param(
            changed(AT_ONCE, vru_entry="23:59:50", vru_exit="0:00:07"), at(0, 0, 7, day=5), id="straight through"
        ),
        pytest.param(changed(SERVED, vru_entry="23:59:50", q_start="24:00:05"), at(0, 0, 5, day=5), id="as 24 h"),
        pytest.param(changed(SERVED, vru_entry="23:59:50", q_start="23:59:58"), at(23, 59, 58), id="queued before it"),
    ],
)
def test_midnight_may_come_between_entry_and_queue(row, initiated_at):
    call = the_call(row)
    assert (call.initiated_at, call.call_id[:10]) == (initiated_at, "2001-03-04")


@pytest.mark.parametrize("cells", [{}, {"q_time": "0"}], ids=["queued", "straight through"])
def test_a_menu_around_midnight_lasts_no_day(cells):
    behind = {"vru_entry": "0:00:10", "vru_exit": "23:59:30", "vru_time": "-40", "q_start": "23:59:30"}
    call = the_call(changed(SERVED, **behind | cells))
    assert call.initiated_at == (at(0, 0, 10) if cells else at(23, 59, 30, day=3))


@pytest.mark.parametrize("hour", [9, 15])
def test_a_missing_queue_start_is_the_end_of_the_menu(hour):
    call = the_call(changed(SERVED, vru_entry=f"{hour}:00:00", vru_exit=f"{hour}:00:10", q_start="0:00:00"))
    assert call.initiated_at == at(hour, 0, 10)


def test_an_unclosed_quote_spoils_one_row_only():
    parsed = entries(changed(SERVED, call_id='"7'), SERVED, changed(SERVED, server='"agent-01'), GAVE_UP)
    assert isinstance(parsed[0], UnreadableRow)
    assert [call.initiated_at for call in parsed[1:] if isinstance(call, LoggedCall)] == [at(9, 0, 10)] * 3


def test_durations_that_midnight_made_negative_are_corrected():
    call = the_call(changed(SERVED, vru_entry="23:59:00", q_start="23:59:30", q_time="-86355", ser_time="-86300"))
    assert (call.wait_seconds, call.service_seconds) == (45, 100)


def test_a_service_of_negative_length_took_no_time():
    assert the_call(changed(SERVED, ser_time="-3")).service_seconds == 0


@pytest.mark.parametrize("separator", [",", "\t"], ids=["commas", "tabs"])
@pytest.mark.parametrize("header", [WIDE_HEADER, None], ids=["header", "none"])
def test_wide_rows_bring_their_own_date(separator, header):
    wide = SERVED.replace("AA0101,7,PS", "AA0101,7,123456,2,PS,990801").replace(",", separator)
    call = the_call(wide, header=header and header.replace(",", separator), day=DAY)
    assert call.initiated_at == datetime(1999, 8, 1, 9, 0, 10, tzinfo=UTC)


def test_narrow_rows_need_no_header():
    assert entries(SERVED, GAVE_UP, header=None) == entries(SERVED, GAVE_UP)


def test_blank_lines_spaces_and_a_byte_order_mark_do_no_harm():
    assert entries("", f" {SERVED.replace(',', ' , ')} ", "  ", header="\ufeff" + HEADER) == entries(SERVED)


def test_repeated_ids_of_the_log_are_separate_calls():
    again = [SERVED, changed(SERVED, **{"vru+line": "AA0102"}), changed(SERVED, vru_entry="8:59:00")]
    assert len({the_call(row).call_id for row in again}) == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(changed(SERVED, q_start="nine"), "q_start 'nine' is no time of day (h:mm:ss)", id="time"),
        pytest.param(changed(SERVED, vru_entry=""), "vru_entry '' is no time of day (h:mm:ss)", id="no time"),
        pytest.param(changed(SERVED, q_time="long"), "q_time 'long' is no number of seconds", id="duration"),
        pytest.param(changed(SERVED, ser_time=""), "ser_time '' is no number of seconds", id="no duration"),
        pytest.param(changed(SERVED, ser_time="1e12"), "ser_time '1e12' is longer than a day", id="endless"),
        pytest.param(changed(SERVED, q_time="-1e15"), "q_time '-1e15' is longer than a day", id="endless, negative"),
        pytest.param(
            changed(SERVED, server="אבי"),
            "server 'אבי' makes no id: 1 to 128 letters, a to z, or digits",
            id="a name that no id can have",
        ),
        pytest.param(
            changed(SERVED, type=".."), "type '..' makes no id: 1 to 128 letters, a to z, or digits", id="a path"
        ),
        pytest.param(
            changed(SERVED, type="A" * 129),
            f"type '{'A' * 128}' makes no id: 1 to 128 letters, a to z, or digits",
            id="too long for an id",
        ),
        pytest.param(changed(SERVED, outcome="LOST"), "outcome 'LOST' is none of AGENT, HANG, PHANTOM", id="outcome"),
        pytest.param(changed(SERVED, type=" "), "type is blank", id="no type"),
        pytest.param("AA0101,7,PS,9:00:00", "outcome is missing: the row is cut off", id="cut off"),
    ],
)
def test_an_unreadable_row_is_reported_and_skipped(row, reason):
    assert entries(row, SERVED) == [UnreadableRow(2, reason), the_call(SERVED)]


@pytest.mark.parametrize(
    ("rows", "day", "message"),
    [
        ([], DAY, "empty"),
        ([HEADER, SERVED], None, "--date"),
        (["name,age", "x,3"], DAY, "no call log"),
        ([HEADER.replace(",server", ""), SERVED], DAY, "lacks server"),
    ],
    ids=["empty", "no date", "another table", "a column lacks"],
)
def test_a_file_that_is_no_call_log_is_refused_with_the_reason(rows, day, message):
    with pytest.raises(CallLogError, match=message):
        list(read(rows, day))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("technion-1999-08-01.csv", date(1999, 8, 1)),
        ("calls_19990801.txt", date(1999, 8, 1)),
        ("v123456789-2001_03_04", date(2001, 3, 4)),
        ("august1999.txt", None),
        ("1999-13-45.csv", None),
    ],
)
def test_a_day_is_read_from_a_name(name, day):
    assert day_in(name) == day


def test_a_served_call_tells_four_events_in_order():
    parsed = events(the_call(SERVED))
    assert [(event["event"], event["occurredAt"]) for event in parsed] == [
        ("call_initiated", "2001-03-04T09:00:10.000Z"),
        ("call_routed", "2001-03-04T09:00:52.000Z"),
        ("call_answered", "2001-03-04T09:00:52.000Z"),
        ("call_ended", "2001-03-04T09:02:01.000Z"),
    ]
    assert [event["sequence"] for event in parsed] == [1, 2, 3, 4]
    assert len({event["eventId"] for event in parsed}) == 4
    assert parsed[1]["agentId"] == "agent-01" and parsed[2]["waitTime"] == 42
    assert parsed[3]["endReason"] == "completed" and parsed[3]["duration"] == 69


def test_an_abandoned_call_gives_two_events():
    parsed = events(the_call(GAVE_UP))
    assert [event["event"] for event in parsed] == ["call_initiated", "call_ended"]
    assert parsed[1]["occurredAt"] == "2001-03-04T09:00:41.000Z"
    assert (parsed[1]["endReason"], parsed[1]["duration"]) == ("abandoned", 0)


def test_batches_are_full_and_never_split_a_call():
    calls = [the_call(changed(row, call_id=str(number))) for number in range(300) for row in (SERVED, GAVE_UP)]
    batches = list(at_once(calls))
    assert [event for batch in batches for event in batch] == [event for call in calls for event in events(call)]
    assert max(map(len, batches)) <= BATCH
    assert not set.intersection(*[{event["callId"] for event in batch} for batch in batches[:2]])


def test_paced_events_are_in_order_of_time_across_files():
    later = changed(SERVED, call_id="99", q_start="8:00:00")
    parsed = list(in_order([the_call(SERVED), the_call(GAVE_UP), the_call(later)]))
    assert [moment for moment, _ in parsed] == sorted(moment for moment, _ in parsed)
    assert [event["event"] for _, event in parsed if event["callId"].startswith("2001-03-04-AA0101-99")] == [
        "call_initiated", "call_routed", "call_answered", "call_ended",
    ]  # fmt: skip
    assert len(parsed) == 10


class Record:
    """A REST API that keeps whole batches, and knows an event when it comes again."""

    def __init__(self, refused=()):
        self.events, self.batches, self.refused = {}, [], refused

    def answer(self, request):
        assert request.url.params["history"] == "true"
        batch = json.loads(request.content)
        self.batches.append(batch)
        return httpx.Response(200, json={"results": [self._result(event) for event in batch]})

    def _result(self, event):
        if event["callId"] in self.refused:
            return {"status": 409, "problem": {"title": "Not possible", "detail": "no"}}
        outcome = "replayed" if self.events.setdefault(event["eventId"], event) is not event else "applied"
        call = {"flags": [], "endReason": event.get("endReason")}
        return {"status": 201, "outcome": outcome, "eventId": event["eventId"], "callId": event["callId"], "call": call}

    def play(self, calls, speed=None):
        async def played():
            async with Api("http://floor", "t", transport=httpx.MockTransport(self.answer)) as api:
                playback = Playback(api, lambda: None)
                await (playback.play_paced(calls, speed) if speed else playback.play(calls))
                return playback.played

        return asyncio.run(played())


def test_a_log_played_twice_is_recorded_once():
    record, calls = Record(), [the_call(changed(SERVED, call_id=str(number))) for number in range(400)]
    first, second = record.play(calls), record.play(calls)
    assert (first.events, first.outcomes, first.ended) == (1600, {"applied": 1600}, 400)
    assert second.outcomes == {"replayed": 1600}
    assert first.figures == second.figures == Figures(calls=400, served=400)
    assert len(record.batches) == 8


def test_refused_events_are_counted_and_the_rest_recorded():
    calls = [the_call(SERVED), the_call(GAVE_UP)]
    played = Record(refused={calls[0].call_id}).play(calls)
    assert (played.refused, played.outcomes) == (4, {"applied": 2})
    assert str(played.problems[0]) == "409 Not possible\n  no"


def test_a_paced_replay_keeps_the_logs_pace():
    record, calls = Record(), [the_call(SERVED), the_call(GAVE_UP)]
    played = record.play(calls, speed=500)  # 111 s of calls in 0.22 s
    assert played.outcomes == {"applied": 6}
    parsed = [event["occurredAt"] for batch in record.batches for event in batch]
    assert parsed == sorted(parsed)
    assert [len(batch) for batch in record.batches] == [2, 1, 2, 1]


def test_the_survey_counts_the_rows_read():
    found = survey(entries(SERVED, AT_ONCE, GAVE_UP, changed(SERVED, outcome="PHANTOM"), "nonsense"))
    assert found.figures == Figures(calls=3, served=2, abandoned=1, late=1, short=1, breached=2)
    assert dict(found.queues) == {"PS": 2, "PE": 1}
    assert (found.no_calls, found.unreadable) == (1, 1)


@pytest.mark.skipif(
    not REAL_DAY.exists(), reason=f"the real day is not at {REAL_DAY}: it is not part of this repository"
)
def test_the_real_day_gives_the_counts_of_its_readme():
    with REAL_DAY.open(encoding="utf-8-sig", newline="") as lines:
        read_entries = list(read(lines, day_in(REAL_DAY.name)))
    found = survey(read_entries)
    assert found.figures == Figures(calls=2237, served=1511, abandoned=726, late=1047, short=59, breached=1536)
    assert dict(found.queues) == {"PS": 1538, "NW": 400, "NE": 140, "IN": 130, "TT": 16, "PE": 13}
    assert (len(read_entries), found.no_calls, found.unreadable) == (2375, 18 + 120, 0)
    calls = [entry for entry in read_entries if isinstance(entry, LoggedCall)]
    assert len({call.call_id for call in calls}) == 2237
    assert sum(call.agent_id == "NO_SERVER" for call in calls) == 6
