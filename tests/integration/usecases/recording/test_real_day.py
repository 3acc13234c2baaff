"""A real day of calls, in the worst order: shuffled, and every event twice."""

import random
from datetime import date

import pytest

from infra.simulator.call_log import LoggedCall, events, read
from shared.adapters.postgres.figures.read_figures import PostgresFigures
from shared.usecases.access import Principal
from shared.usecases.reading.figures import show_metrics
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.harness import Harness
from tests.support.paths import REPOSITORY

REAL_DAY = REPOSITORY.parent / "shared" / "data" / "technion-1999-08-01.csv"
ADMIN = Principal("admin", frozenset("*"), 0)
COUNTS = """
select count(*) as calls,
       count(*) filter (where answered_at is not null) as served,
       count(*) filter (where end_reason = 'abandoned') as abandoned,
       count(*) filter (where answered_at is not null and wait_seconds > 30) as answered_late,
       count(*) filter (where 'sla_breached' = any(flags)) as sla_breached,
       count(*) filter (where 'short_call' = any(flags)) as short_calls
from calls where status = 'ended'
"""


@pytest.mark.deep
@pytest.mark.skipif(not REAL_DAY.exists(), reason=f"the real day is not here: {REAL_DAY}")
def test_the_real_day_shuffled_and_sent_twice_gives_its_counts(harness: Harness) -> None:
    with REAL_DAY.open() as lines:
        calls = [entry for entry in read(lines, date(1999, 8, 1)) if isinstance(entry, LoggedCall)]
    for queue in {call.queue_id for call in calls}:
        harness.rows("insert into queues (id, name) values (%s, %s)", queue, queue)
    sent = [event for call in calls for event in events(call)] * 2
    random.Random(1999).shuffle(sent)
    for first in range(0, len(sent), 500):
        results = harness.send(*sent[first : first + 500], history=True)
        assert {result.status for result in results} <= {200, 201, 202}
        harness.published.news.clear()

    assert harness.rows(COUNTS) == [
        {
            "calls": 2237,
            "served": 1511,
            "abandoned": 726,
            "answered_late": 1047,
            "sla_breached": 1536,
            "short_calls": 59,
        }
    ]
    assert harness.rows("select state, count(*) as events from events group by 1") == [
        {"state": "applied", "events": len(sent) // 2}
    ]
    assert harness.rows("select * from timers") == []
    _figures_are_those_of_the_file(harness, rolled=False)
    while archive_calls(harness.sweep_services.transactions, harness.clock.now() + 2 * ARCHIVE_AFTER):
        pass
    assert harness.rows("select count(*) as live from calls_live") == [{"live": 0}]
    _figures_are_those_of_the_file(harness, rolled=True)
    _figures_are_those_of_the_file(harness, rolled=False)


def _figures_are_those_of_the_file(harness: Harness, *, rolled: bool) -> None:
    def figures(**more: str) -> list[dict]:
        asked = {"from": "1999-08-01T00:00:00Z", "to": "1999-08-02T00:00:00Z", **more}
        answer = show_metrics(PostgresFigures(harness.database, rolled=rolled), ADMIN, asked, harness.clock.now())
        return answer["data"]

    (day,) = figures()
    counts = ("offered", "answered", "abandoned", "shortAbandons", "slaBreached", "shortCalls", "answeredInTime")
    assert [day[name] for name in counts] == [2237, 1511, 726, 237, 1536, 59, 464]
    level = day["serviceLevel"]
    shares = [day["abandonRate"], level["ofAnswered"], level["ofOffered"]]
    shares += [level["withoutShortAbandons"], level["withAbandonsInTime"]]
    assert [f"{100 * share:.3f}" for share in shares] == ["32.454", "30.708", "20.742", "23.200", "31.337"]
    assert [f"{seconds:.3f}" for seconds in (day["asa"], day["handleTime"]["aht"])] == ["134.846", "193.786"]
    queues = {row["queueId"]: row["offered"] for row in figures(groupBy="queue")}
    assert queues == {"PS": 1538, "NW": 400, "NE": 140, "IN": 130, "TT": 16, "PE": 13}
    for bucket in ("5m", "15m", "30m", "1h", "1d"):
        parts = figures(bucket=bucket, groupBy="queue,agent,language,type", zone="Asia/Jerusalem")
        assert sum(part["offered"] for part in parts) == 2237
