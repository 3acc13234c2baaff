"""A walk over pages of calls, beside threads that record, end, shelve and take calls off the shelf again.

At each page every writer is let go for one step, while the page is read: so there are always some at work, and never
more than a walk can see the end of.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg.pq import PipelineStatus

from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.usecases.access import Principal
from shared.usecases.reading.cursors import Cursors
from shared.usecases.reading.poll_changes import list_changes
from shared.usecases.reading.reads import list_calls
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.calls import ORDERS
from tests.support.clock import Clock
from tests.support.harness import Harness

ADMIN = Principal("admin", frozenset("*"), 0)
CURSORS = Cursors(["a key for tests, long enough for HS256"])
AT_ONCE = 4  # to a page; fewer than stand at one place in any order, so that pages end among those
SERVED, WAITING = 48, 16
Step = Callable[[], None]


def moment(seconds: float) -> str:
    return (Clock().moment + timedelta(seconds=seconds)).isoformat()


def begun(call_id: str, at: float) -> dict[str, Any]:
    return {
        "event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish",
        "occurredAt": moment(at), "eventId": f"{call_id}-begun",
    }  # fmt: skip


def served(call_id: str, at: float, wait: float = 5, talk: float = 60) -> list[dict[str, Any]]:
    events_of_call: list[dict[str, Any]] = [
        {"event": "call_routed", "agentId": f"agent-{call_id}", "routingTime": 1, "occurredAt": moment(at + 1)},
        {"event": "call_answered", "waitTime": wait, "occurredAt": moment(at + wait)},
        {"event": "call_ended", "endReason": "completed", "duration": talk, "occurredAt": moment(at + wait + talk)},
    ]
    events = [event | {"callId": call_id, "eventId": f"{call_id}-{n}"} for n, event in enumerate(events_of_call)]
    return [begun(call_id, at), *events]


@pytest.fixture
def standing(harness: Harness) -> list[str]:
    """Calls that are there throughout, eight at a time alike in start, wait, duration and deadline; half shelved."""
    over = [f"over-{n:02}" for n in range(SERVED)]
    waiting = [f"waits-{n:02}" for n in range(WAITING)]
    for half in (over[::2], over[1::2]):
        for call_id in half:
            place = int(call_id[-2:]) // 8
            harness.send(*served(call_id, -900 + 60 * place, wait=5 + place, talk=40 + place), history=True)
        if half[0] == over[0]:
            put_away(harness)
    for call_id in waiting:
        harness.send(begun(call_id, -20 + int(call_id[-2:]) // 8))
    return over + waiting


def put_away(harness: Harness, limit: int = 200) -> None:
    archive_calls(harness.services.transactions, harness.clock.now() + 2 * ARCHIVE_AFTER, limit)


def take_back(harness: Harness, call_ids: Sequence[str], number: int) -> None:
    """By events that were late: they find their calls on the shelf, and change nothing that a list goes by."""
    late = [
        {"event": "call_hold", "holdDuration": 1, "callId": call_id, "eventId": f"late-{call_id}-{number}"}
        | {"occurredAt": moment(-900 + 60 * (int(call_id[-2:]) // 8) + 20)}
        for call_id in call_ids
    ]
    assert {result.status for result in harness.send(*late, history=True)} == {201}


class Writers:
    """One step each of all that may happen beside a page, in threads of their own, each with its own connection."""

    def __init__(self, database_url: str, clock: Clock, standing: list[str]) -> None:
        self._floors = [Harness(database_url, clock) for _ in range(4)]
        self._pool = ThreadPoolExecutor(len(self._floors))
        self._over = [call_id for call_id in standing if call_id.startswith("over")]
        self._numbers = [count() for _ in self._floors]
        self._steps = [self._record, self._end, self._shelve, self._take_back]

    def beside(self, reading: Callable[[], Any]) -> Any:
        """All begin when the reading does, and are done when it is answered."""
        together = threading.Barrier(len(self._steps) + 1)

        def step(taken: Callable[[Harness, int], None], harness: Harness, numbers: Iterator[int]) -> None:
            together.wait(60)
            taken(harness, next(numbers))

        under_way = [
            self._pool.submit(step, *each) for each in zip(self._steps, self._floors, self._numbers, strict=True)
        ]
        together.wait(60)
        found = reading()
        for one in under_way:
            one.result()
        return found

    def _record(self, harness: Harness, number: int) -> None:
        """Somewhere between the others in every order, and behind them all."""
        harness.send(*served(f"new-{number}", -850 + number % 300, wait=6.5, talk=42.5), history=True)
        harness.send(begun(f"comes-{number}", -19 + number % 10))

    def _end(self, harness: Harness, number: int) -> None:
        if number:
            at = {"occurredAt": moment(1), "eventId": f"gone-{number}"}
            harness.one("call_ended", f"comes-{number - 1}", endReason="abandoned", duration=0, **at)

    def _shelve(self, harness: Harness, number: int) -> None:
        put_away(harness, limit=10 + number % 20)

    def _take_back(self, harness: Harness, number: int) -> None:
        take_back(harness, self._over[number % 7 :: 7], number)

    def close(self) -> None:
        self._pool.shutdown()
        for harness in self._floors:
            harness.database.close()


@pytest.fixture
def writers(database_url: str, clock: Clock, standing: list[str]) -> Iterator[Writers]:
    writers = Writers(database_url, clock, standing)
    yield writers
    writers.close()


def pages(harness: Harness, order: str, read: Callable[[Callable[[], Any]], Any]) -> Iterator[Any]:
    asked: dict[str, Any] = {"sort": order, "limit": str(AT_ONCE)}
    while True:
        page = read(lambda: list_calls(harness.reads, CURSORS, ADMIN, asked))
        yield page
        if page.next_cursor is None:
            return
        asked["cursor"] = page.next_cursor


# Each order of the list has its own quick test in functions/query/test_call_lists.py.
QUICK_AND_DEEP_ORDERS = [
    order if order in ("-start", "urgency") else pytest.param(order, marks=pytest.mark.deep) for order in ORDERS
]


def listed(standing: list[str], order: str) -> list[str]:
    """Those that are in this order's list: by urgency the open ones, by wait and duration those which have one."""
    kinds = {"urgency": ("waits",), "start": ("over", "waits"), "-start": ("over", "waits")}.get(order, ("over",))
    return [call_id for call_id in standing if call_id.startswith(kinds)]


@pytest.mark.parametrize("order", QUICK_AND_DEEP_ORDERS)
def test_a_walk_beside_writers_sees_each_call_exactly_once(
    harness: Harness, standing: list[str], writers: Writers, order: str
) -> None:
    seen = Counter(row["id"] for page in pages(harness, order, writers.beside) for row in page.rows)
    assert {call_id: seen[call_id] for call_id in listed(standing, order)} == dict.fromkeys(listed(standing, order), 1)
    assert max(seen.values()) == 1, "a call that arrived during the walk may be seen, once"


@pytest.mark.parametrize("order", QUICK_AND_DEEP_ORDERS)
def test_a_page_shows_one_moment_while_calls_change(
    harness: Harness, standing: list[str], database_url: str, clock: Clock, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each statement of the reader all calls that are over change their place: shelved, taken back, shelved."""
    other, numbers = Harness(database_url, clock), count()
    over = [call_id for call_id in standing if call_id.startswith("over")]
    reader = harness.database.connection()
    execute = psycopg.Cursor.execute

    def executing(cursor: psycopg.Cursor[Any], *statement: Any, **options: Any) -> Any:
        if cursor.connection is reader:
            if reader.pgconn.pipeline_status != PipelineStatus.OFF:
                with reader.pipeline():
                    pass  # what was sent before has been answered when this ends
            move(next(numbers))
        return execute(cursor, *statement, **options)

    def move(number: int) -> None:
        if number % 2:
            put_away(other)
        else:
            take_back(other, over, number)

    with ExitStack() as closing:
        closing.callback(other.database.close)
        monkeypatch.setattr(psycopg.Cursor, "execute", executing)
        seen = [row["id"] for page in pages(harness, order, lambda read: read()) for row in page.rows]
    assert next(numbers) >= len(seen) // AT_ONCE, "they moved"
    assert sorted(seen) == sorted(listed(standing, order))


def test_changes_hold_calls_whose_deadline_moved_in_a_walk(harness: Harness, standing: list[str]) -> None:
    """It may stand behind the walk or before it by then; a client that reads on from the position misses no call."""
    walk = pages(harness, "urgency", lambda read: read())
    first = next(walk)
    moved = next(call_id for call_id in standing[::-1] if call_id not in [row["id"] for row in first.rows])
    harness.one("call_routed", moved, agentId="interpreter-01", routingTime=1, occurredAt=moment(-18))
    seen = {row["id"] for page in (first, *walk) for row in page.rows}
    changed = list_changes(PostgresChanges(harness.database), ADMIN, {"since": str(first.position)})
    assert moved in {call.id for call in changed.calls}
    assert seen | {call.id for call in changed.calls} >= set(listed(standing, "urgency"))
