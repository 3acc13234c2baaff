"""A real day of calls, in the worst order: shuffled, and every event twice."""

import random
from datetime import date

import pytest

from infra.floor.call_log import LoggedCall, events, read
from tests.conftest import REPOSITORY
from tests.integration.conftest import Floor

REAL_DAY = REPOSITORY.parent / "shared" / "data" / "technion-1999-08-01.csv"
COUNTS = """
select count(*) as calls,
       count(*) filter (where answered_at is not null) as served,
       count(*) filter (where end_reason = 'abandoned') as abandoned,
       count(*) filter (where answered_at is not null and wait_seconds > 30) as answered_late,
       count(*) filter (where 'sla_breached' = any(flags)) as sla_breached,
       count(*) filter (where 'short_call' = any(flags)) as short_calls
from calls where status = 'ended'
"""


@pytest.mark.skipif(not REAL_DAY.exists(), reason=f"the real day is not here: {REAL_DAY}")
def test_the_real_day_shuffled_and_sent_twice_gives_its_counts(floor: Floor) -> None:
    with REAL_DAY.open() as lines:
        calls = [entry for entry in read(lines, date(1999, 8, 1)) if isinstance(entry, LoggedCall)]
    for queue in {call.queue_id for call in calls}:
        floor.rows("insert into queues (id, name) values (%s, %s)", queue, queue)
    told = [event for call in calls for event in events(call)] * 2
    random.Random(1999).shuffle(told)
    for first in range(0, len(told), 500):
        results = floor.send(*told[first : first + 500], history=True)
        assert {result.status for result in results} <= {200, 201, 202}
        floor.told.news.clear()

    assert floor.rows(COUNTS) == [
        {
            "calls": 2237,
            "served": 1511,
            "abandoned": 726,
            "answered_late": 1047,
            "sla_breached": 1536,
            "short_calls": 59,
        }
    ]
    assert floor.rows("select state, count(*) as events from events group by 1") == [
        {"state": "applied", "events": len(told) // 2}
    ]
    assert floor.rows("select * from timers") == []
