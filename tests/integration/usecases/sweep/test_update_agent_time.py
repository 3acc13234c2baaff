"""What agents did with their time, held against days that were painted second by second as they were made up."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
import psycopg
import pytest

from infra.database import agent_time, migrate
from infra.local.cloud import SAMPLES
from shared.adapters.postgres.figures.read_figures import PostgresFigures
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.contracts.figures import MetricsRow
from shared.contracts.setup import AgentSetup
from shared.usecases.access import Principal
from shared.usecases.errors import UnavailableError
from shared.usecases.reading.figures import show_metrics
from shared.usecases.sweep.run_sweep import run_sweep
from shared.usecases.sweep.update_agent_time import update_agent_time
from tests.support.harness import Harness

ADMIN = Principal("admin", frozenset("*"), 0)
WRAP_UP = 45
LONG = 40 * 3600  # two midnights and the end of a month
AGENTS = ("ana", "ben", "cleo")


class Day:
    """An agent's made-up days: what telephony and the agent say, and what each second was."""

    def __init__(self, agent_id: str, chance: random.Random, begin: datetime) -> None:
        self.agent_id, self.begin, self.events = agent_id, begin, list[dict[str, Any]]()
        self.seconds: list[str] = []
        self._calls, self._chance = 0, chance
        while len(self.seconds) < LONG:
            self._shift()

    def _shift(self) -> None:
        self._says("available")
        for _ in range(self._chance.randrange(1, 25)):
            self._passes("available", self._some(2000))
            if self._chance.random() < 0.15:
                self._says("away")
                self._passes("away", self._some(3000))
                self._says("available")
                self._passes("available", self._some(20))
            self._call()
        self._passes("available", self._some(100))
        self._says("offline")
        self._passes("offline", self._some(20_000))

    def _call(self) -> None:
        call_id = f"{self.agent_id}-{self._calls}"
        self._calls += 1
        self._tell(call_id, "call_initiated", type="voice", queueId="medical_spanish")
        self._passes("available", 1)
        self._tell(call_id, "call_routed", agentId=self.agent_id, routingTime=1)
        self._passes("offered", self._some(15))
        match self._chance.randrange(4):
            case 0:  # missed, and another takes it
                self._tell(call_id, "call_no_answer", agentId=self.agent_id)
                self._passes("away", self._some(30))
                self._tell(call_id, "call_ended", endReason="abandoned", duration=0)
                self._passes("away", self._some(30))
                self._says("available")
                self._passes("available", 1)
            case 1:  # the caller hangs up
                self._tell(call_id, "call_ended", endReason="abandoned", duration=0)
                self._passes("available", 1)
            case _:
                self._talk(call_id)

    def _talk(self, call_id: str) -> None:
        self._tell(call_id, "call_answered", waitTime=3)
        self._passes("on_call", self._some(900))
        if self._chance.random() < 0.3:
            self._tell(call_id, "call_hold", holdDuration=0)
            self._passes("on_call", self._some(90))
            self._tell(call_id, "call_resumed")
            self._passes("on_call", self._some(90))
        self._tell(call_id, "call_ended", endReason="completed", duration=5)
        if self._chance.random() < 0.3:  # back before the time for it is over
            self._passes("wrap_up", self._some(WRAP_UP - 1))
            self._says("available")
            self._passes("available", 1)
        else:
            self._passes("wrap_up", WRAP_UP)

    def _some(self, most: int) -> int:
        return self._chance.randrange(1, most + 1)

    def _passes(self, status: str, seconds: int) -> None:
        self.seconds += [status] * seconds

    def _says(self, status: str) -> None:
        self._put("agent_status_changed", agentId=self.agent_id, status=status)

    def _tell(self, call_id: str, event: str, **fields: Any) -> None:
        self._put(event, callId=call_id, **fields)

    def _put(self, event: str, **fields: Any) -> None:
        at = self.begin + timedelta(seconds=len(self.seconds))
        fields |= {"eventId": f"{self.agent_id}-event-{len(self.events)}", "occurredAt": at.isoformat()}
        self.events.append({"event": event, **fields})


@pytest.fixture
def begin(harness: Harness) -> datetime:
    """Agents without a queue are offered nothing by Switchboard: telephony alone says what happens."""
    harness.rows("update queues set wrap_up_seconds = %s", WRAP_UP)
    for agent_id in AGENTS:
        harness.rows("insert into agents (id, name, status_since) values (%s, %s, '2026-01-01')", agent_id, agent_id)
    return harness.clock.at(0)


Known = dict[tuple[datetime, str | None], dict[str, float]]


def figures(harness: Harness, asked: dict[str, str], *, rolled: bool = True) -> list[MetricsRow]:
    answer = show_metrics(PostgresFigures(harness.database, rolled=rolled), ADMIN, asked, harness.clock.now())
    return [MetricsRow.model_validate_json(orjson.dumps(row)) for row in answer["data"]]


def known(rows: list[MetricsRow]) -> Known:
    """Seconds by bucket and agent, as far as there were any."""
    return {
        (row.start, row.agent_id): {name: seconds for name, seconds in vars(row.agent_time).items() if seconds}
        for row in rows
        if row.agent_time
    }


NAMES = {"offered": "ringing"}


def expected(days: list[Day], start: int, end: int, width: int, *, by_agent: bool) -> Known:
    """From the painted seconds between two of them; buckets of `width` seconds, from midnight on."""
    counted: Counter[tuple[int, str | None, str]] = Counter()
    for day in days:
        for second, status in enumerate(day.seconds[start:end], start):
            if status != "offline":
                bucket = max(start, (second + NOON) // width * width - NOON)
                counted[bucket, day.agent_id if by_agent else None, NAMES.get(status, status)] += 1
    found: Known = {}
    for (bucket, agent_id, name), seconds in counted.items():
        row = found.setdefault((days[0].begin + timedelta(seconds=bucket), agent_id), {"staffed": 0})
        row |= {"staffed": row["staffed"] + seconds, name: seconds}
    return found


NOON = 12 * 3600  # when the days begin
BUCKETS = {"": 10**9, "5m": 300, "1h": 3600, "1d": 86_400}


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.deep), 1, pytest.param(2, marks=pytest.mark.deep)])
def test_agent_figures_match_each_second_in_any_order(harness: Harness, begin: datetime, seed: int) -> None:
    chance = random.Random(seed)
    days = [Day(agent_id, chance, begin) for agent_id in AGENTS]
    harness.clock.go_to(LONG + 90_000)
    tell(harness, days, chance, shuffled=seed > 0)
    start, end = chance.randrange(7000), LONG - 777
    for bucket, width in BUCKETS.items():
        for by_agent in (False, True) if bucket != "5m" else (False,):
            asked = {"from": harness.clock.at(start).isoformat(), "to": harness.clock.at(end).isoformat()}
            asked |= {"bucket": bucket} if bucket else {}
            asked |= {"groupBy": "agent"} if by_agent else {}
            should = expected(days, start, end, width, by_agent=by_agent)
            for now in (end, LONG + 90_000):  # up to now, and long past
                harness.clock.go_to(now)
                assert known(figures(harness, asked)) == should, (bucket, by_agent, now)
                assert known(figures(harness, asked, rolled=False)) == should, (bucket, by_agent, now)
    assert wrong(harness) == (set(), 0)


def tell(harness: Harness, days: list[Day], chance: random.Random, *, shuffled: bool) -> None:
    """In batches, some of it twice, while the log is followed now and then."""
    events = [event for day in days for event in day.events]
    events += chance.sample(events, len(events) // 5)
    if shuffled:
        chance.shuffle(events)
    while events:
        batch, events = events[: (size := chance.randrange(1, 60))], events[size:]
        harness.send(*batch)
        if chance.random() < 0.3:
            harness.update_agent_time(chance.choice((10, 50, 500)))
    harness.update_agent_time()


def wrong(harness: Harness, *, repair: bool = False) -> tuple[set[str], int]:
    """Whose spans are not what the log says, and how many sums not what the spans say."""
    agents = {agent_id for found in agent_time.compare(harness.database, repair=repair) for agent_id in found}
    sums = 0
    for month in agent_time.months(harness.database):
        sums += agent_time.differing(harness.database, month)
        if repair:
            agent_time.rebuild(harness.database, month)
    return agents, sums


def test_damaged_agent_time_is_found_and_corrected(harness: Harness, begin: datetime) -> None:
    day = Day("ana", random.Random(1), begin)
    harness.clock.go_to(LONG + 90_000)
    harness.send(*day.events)
    harness.update_agent_time()
    whole = harness.rows("select * from agent_intervals order by began, source, step")
    assert wrong(harness) == (set(), 0)
    harness.rows("delete from agent_intervals where began = (select max(began) from agent_intervals where of_call)")
    harness.rows("update agent_rollups set away_ms = away_ms + 1 where grain = '1h agent'")
    assert wrong(harness)[0] == {"ana"}
    assert wrong(harness)[1] > 0
    wrong(harness, repair=True)
    assert wrong(harness) == (set(), 0)
    assert harness.rows("select * from agent_intervals order by began, source, step") == whole


def test_concurrent_writes_are_not_reported_as_differences(
    harness: Harness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.one("call_routed", agentId="interpreter-01", routingTime=1)
    harness.update_agent_time()
    update_calls = agent_time.update_calls
    with closing(Harness(database_url, harness.clock)) as other:

        def update_beside(*turn: Any) -> Any:
            assert other.one("call_answered", waitTime=2).status == 201
            return update_calls(*turn)

        monkeypatch.setattr(agent_time, "update_calls", update_beside)
        assert wrong(harness) == (set(), 0)


def test_a_comparison_continues_after_a_lost_session(harness: Harness, database_url: str) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.update_agent_time()
    compared = agent_time.compare(harness.database, repair=False)
    assert next(compared) == []
    with psycopg.connect(database_url) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [harness.database.connection().info.backend_pid])
    assert len(list(compared)) == harness.rows("select count(*) as agents from agents")[0]["agents"]


def test_an_interval_below_a_millisecond_is_no_difference(harness: Harness) -> None:
    """Of undated events of one batch, each comes a microsecond after the one before."""
    call = {"callId": "call-1"}
    harness.clock.go_to(1)
    harness.send(
        {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish", **call},
        {"event": "call_routed", "agentId": "interpreter-01", "routingTime": 0, **call},
        {"event": "call_answered", "waitTime": 0, **call},
    )
    harness.update_agent_time()
    assert wrong(harness, repair=True) == (set(), 0)
    assert wrong(harness) == (set(), 0)


def test_agent_time_matches_the_live_status_of_timely_events(harness: Harness, begin: datetime) -> None:
    days = [Day(agent_id, random.Random(agent_id), begin) for agent_id in AGENTS]
    events = sorted((event for day in days for event in day.events), key=lambda event: event["occurredAt"])[:300]
    seen: set[str] = set()
    for number, event in enumerate(events):
        harness.clock.moment = datetime.fromisoformat(event["occurredAt"])
        harness.sweep()
        harness.send(event)
        if number % 7 == 0:
            harness.update_agent_time()
            followed = harness.rows(
                "select agent_id as id, status from agent_intervals where agent_id = any(%s) and began <= %s "
                "and coalesce(ended > %s, true) order by 1",
                list(AGENTS),
                harness.clock.now(),
                harness.clock.now(),
            )
            live = harness.rows("select id, status from agents where id = any(%s) order by 1", list(AGENTS))
            known_to_both = {row["id"] for row in followed}
            assert followed == [row for row in live if row["id"] in known_to_both], number
            seen |= {row["status"] for row in live}
    assert seen == {"offline", "available", "offered", "on_call", "wrap_up", "away"}


def test_an_imported_end_frees_the_agent_of_a_live_call(harness: Harness) -> None:
    """As when a log fills what an outage has left out."""
    harness.rows("update queues set wrap_up_seconds = 0")
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    harness.one("call_routed", agentId="interpreter-01", routingTime=0)
    harness.one("call_answered", waitTime=0)
    harness.update_agent_time()
    ended = {"event": "call_ended", "callId": "call-1", "endReason": "completed", "duration": 60}
    harness.clock.go_to(600)
    assert harness.send(ended | {"occurredAt": harness.clock.at(60).isoformat()}, history=True)[0].status == 201
    harness.update_agent_time()
    assert harness.agent("interpreter-01")[0] == "available"
    (row,) = figures(harness, {"agentId": "interpreter-01", "from": harness.clock.at(0).isoformat()})
    assert row.agent_time is not None
    assert (round(row.agent_time.on_call), round(row.agent_time.available)) == (60, 540)
    assert wrong(harness) == (set(), 0)


def test_an_agent_set_up_as_available_is_signed_in(harness: Harness) -> None:
    setup = AgentSetup(name="Dora", languages=[], queues=[], status="available")
    harness.services.agents.put_agent("dora", setup, harness.clock.now())
    harness.clock.go_to(60)
    harness.services.agents.put_agent("dora", setup, harness.clock.now())
    harness.update_agent_time()
    asked = {"agentId": "dora", "from": harness.clock.at(-60).isoformat()}
    assert known(figures(harness, asked)) == {(harness.clock.at(-60), None): {"staffed": 60, "available": 60}}
    harness.clock.go_to(90)
    (row,) = figures(harness, asked)
    assert row.agent_time is not None
    assert (row.agent_time.available, row.occupancy, row.occupancy_without_away) == (90, 0, 0)


@pytest.mark.parametrize("asked", [{"groupBy": "queue"}, {"queueId": "legal_spanish"}, {"language": "es"}])
def test_time_without_a_queue_is_not_grouped_by_queue(harness: Harness, asked: dict[str, str]) -> None:
    found = show_metrics(PostgresFigures(harness.database), ADMIN, asked, harness.clock.now())
    assert {(row["occupancy"], row["agentTime"], row["handleTime"]["acw"]) for row in found["data"]} <= {
        (None, None, None)
    }
    assert "belongs to no queue" in found["notes"][0]


def test_an_aborted_update_of_agent_time_is_repeated_whole(
    harness: Harness, begin: datetime, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day("ana", random.Random(3), begin)
    harness.clock.go_to(LONG + 90_000)
    half = len(day.events) // 2
    harness.send(*day.events[:half])
    harness.update_agent_time()
    harness.send(*day.events[half:])
    before = state(harness)
    original, killer = psycopg.Cursor.execute, psycopg.connect(database_url, autocommit=True)
    left = 0

    def dying(self: Any, *asked: Any, **options: Any) -> Any:
        nonlocal left
        if self.connection is not killer:
            left -= 1
            if left == 0:
                killer.execute("select pg_terminate_backend(%s, 5000)", [self.connection.info.backend_pid])
        return original(self, *asked, **options)

    deaths = 0
    for statement in count(1):
        left = statement
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.Cursor, "execute", dying)
            try:
                update_agent_time(harness.agent_time_store)
            except UnavailableError:
                deaths += 1
            else:
                break
        assert state(harness) == before, statement
    assert deaths >= 10
    killer.close()
    assert state(harness) != before
    assert wrong(harness) == (set(), 0)


def state(harness: Harness) -> list[Any]:
    spans = harness.rows("select * from agent_intervals order by began, source, step")
    sums = harness.rows("select * from agent_rollups order by grain, start, agent_id")
    return [spans, sums, harness.rows("select * from agent_time_progress")]


def test_concurrent_updates_of_agent_time_agree(harness: Harness, begin: datetime, database_url: str) -> None:
    chance = random.Random(7)
    days = [Day(agent_id, chance, begin) for agent_id in AGENTS]
    harness.clock.go_to(LONG + 90_000)
    events = [event for day in days for event in day.events]
    chance.shuffle(events)
    over = threading.Event()

    def send(part: list[dict[str, Any]]) -> None:
        with closing(Harness(database_url, harness.clock)) as sender:
            for first in range(0, len(part), 9):
                assert {result.status for result in sender.send(*part[first : first + 9])} <= {200, 201, 202}

    def follow() -> None:
        with closing(Harness(database_url, harness.clock)) as follower:
            while not over.is_set():
                follower.update_agent_time(20)

    with ThreadPoolExecutor() as pool:
        following = [pool.submit(follow) for _ in range(3)]
        for sent in [pool.submit(send, events[n::3]) for n in range(3)]:
            sent.result()
        over.set()
        for each in following:
            each.result()
    harness.update_agent_time()
    asked = {"from": begin.isoformat(), "to": harness.clock.at(LONG - 777).isoformat(), "groupBy": "agent"}
    assert known(figures(harness, asked)) == expected(days, 0, LONG - 777, 10**9, by_agent=True)
    assert wrong(harness) == (set(), 0)


def test_deleting_a_month_keeps_open_intervals_and_sums(harness: Harness, begin: datetime) -> None:
    days = [Day(agent_id, random.Random(agent_id), begin) for agent_id in AGENTS]
    harness.clock.go_to(LONG + 60)
    tell(harness, days, random.Random(0), shuffled=False)
    harness.clock.moment = datetime(2026, 3, 5, tzinfo=UTC)
    february = {"from": "2026-02-01T00:00:00Z", "to": harness.clock.at(LONG).isoformat(), "bucket": "1h"}
    january = {"from": begin.isoformat(), "to": "2026-02-01T00:00:00Z", "groupBy": "agent"}
    before = [known(figures(harness, asked)) for asked in (february, january)]
    was_known, *_ = agent_time.months(harness.database)
    PostgresHousekeeping(harness.database, "this-one", lambda: None, keep_months=1).tidy(harness.clock.now())
    assert [month.beginning for month in agent_time.months(harness.database)] == [datetime(2026, 2, 1, tzinfo=UTC)]
    assert harness.rows("select count(*) as n from agent_intervals where cause = 'carried'")[0]["n"] == len(AGENTS)
    assert [known(figures(harness, asked)) for asked in (february, january)] == before
    assert [known(figures(harness, asked, rolled=False)) for asked in (february,)] == before[:1]
    assert wrong(harness) == (set(), 0)
    assert agent_time.differing(harness.database, was_known) == 0
    agent_time.rebuild(harness.database, was_known)  # which knew of the month before it was forgotten
    assert known(figures(harness, january)) == before[1]
    late = {"event": "agent_status_changed", "agentId": "ana", "status": "away"}
    harness.send(late | {"occurredAt": "2026-01-31T12:00:01Z"})
    harness.update_agent_time()
    assert [known(figures(harness, asked)) for asked in (february, january)] == before
    harness.send(late | {"occurredAt": "2026-02-01T00:00:00Z", "eventId": "away-at-midnight"})
    harness.update_agent_time()
    assert known(figures(harness, february)) != before[0]
    assert wrong(harness) == (set(), 0)


def test_the_sweep_follows(harness: Harness, begin: datetime) -> None:
    day = Day("ana", random.Random(3), begin)
    harness.clock.go_to(LONG + 90_000)
    harness.send(*day.events)
    upkeep = PostgresHousekeeping(harness.database, "this-one", lambda: None)
    run_sweep(
        harness.sweep_services,
        upkeep,
        harness.clock.now() + timedelta(seconds=30),
        harness.clock.now,
        harness.clock.sleep,
    )
    asked = {"from": begin.isoformat(), "to": harness.clock.at(LONG - 777).isoformat(), "groupBy": "agent"}
    assert known(figures(harness, asked)) == expected([day], 0, LONG - 777, 10**9, by_agent=True)


def test_the_interpreters_of_the_sample_floor_are_signed_in(harness: Harness, database_url: str) -> None:
    migrate.load(database_url, SAMPLES[-1])
    harness.update_agent_time()
    (last,) = harness.rows("select date_trunc('second', max(status_since)) + interval '1 s' as all_in from agents")
    harness.clock.moment = last["all_in"] + timedelta(seconds=60)
    asked = {"groupBy": "agent", "from": last["all_in"].isoformat()}
    assert {tuple(time.items()) for time in known(figures(harness, asked)).values()} == {
        (("staffed", 60.0), ("available", 60.0))
    }
    assert len(figures(harness, asked)) == harness.rows("select count(*) as n from agents")[0]["n"]
