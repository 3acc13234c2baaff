"""How long it takes to pick an agent out of ten thousand, and the head of two thousand waiting calls."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median

import psycopg

from bench.stage import Figure, Stage
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.domain.call import Call
from shared.domain.events import Limits
from shared.domain.routing import Search, Strategy
from shared.usecases.recording.ports import UnitOfWork

AGENTS, QUEUES, CALLS, PICKS = 10_000, 40, 2_000, 400
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PROMISE, WORST, LOOK = "promised: 2,000 at the median", "the worst case", "when an agent of another queue comes free"
# Half are free, each serves two of the queues, as on a large floor; in `all` everybody is free and serves the same one.
# They signed in at any time of the last twelve hours, which is the worst case for comparing how occupied they are.
_FLOOR = """
insert into queues (id, name, routing) select 'q' || n, 'q', 'switchboard' from generate_series(0, %(queues)s) n;
insert into agents (id, name, queues, skills, status, status_since, occupied_seconds, signed_in_since)
select 'bench-' || n, 'b', array['q' || n %% %(queues)s, 'q' || (n * 7 + 1) %% %(queues)s, 'all'],
    jsonb_build_object('all', n %% 10 + 1, 'q' || n %% %(queues)s, n %% 10 + 1),
    case when n %% 2 = 0 or %(everybody)s then 'available' else 'away' end,
    %(now)s::timestamptz - make_interval(secs => n %% 997), n %% 991,
    %(now)s::timestamptz - interval '12 hours' * (n * 7919 %% 1000 + 1) / 1000
from generate_series(1, %(agents)s) n;
insert into calls (id, status, type, queue_id, initiated_at, seeks, state)
select 'waits-' || n, 'waiting', 'voice', 'q' || %(queues)s, %(now)s::timestamptz - make_interval(secs => n %% 600),
    'any', '{"limits": {"routing": "switchboard"}}'
from generate_series(1, %(calls)s) n;
"""


def measure(stage: Stage) -> Iterator[Figure]:
    for strategy in Strategy:
        words = strategy.value.replace("_", " ")
        yield _figure(stage, f"pick the {words} of {AGENTS:,} agents", _picks(strategy), PROMISE)
        yield _figure(stage, "the same, all free for one queue", _picks(strategy, "all"), WORST)
    yield _figure(stage, f"see that nobody is free for {CALLS:,} calls", _look, LOOK)


def _picks(strategy: Strategy, queue_id: str | None = None) -> Callable[[UnitOfWork, int], None]:
    def pick(unit_of_work: UnitOfWork, number: int) -> None:
        call = Call("picks", "voice", queue_id or f"q{number % QUEUES}", None, Limits(), NOW, NOW)
        assert unit_of_work.claim_agent(call, Search(call.queue_id), strategy, NOW)

    return pick


def _look(unit_of_work: UnitOfWork, _: int) -> None:
    assert not unit_of_work.waiting_calls(NOW, [f"q{QUEUES}"], 10)


def _figure(stage: Stage, name: str, work: Callable[[UnitOfWork, int], None], note: str) -> Figure:
    url = stage.database()
    with psycopg.connect(url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        sizes = {"agents": AGENTS, "queues": QUEUES, "calls": CALLS}
        cursor.execute(_FLOOR, {**sizes, "now": NOW, "everybody": note == WORST})
        cursor.execute("vacuum analyze")
    database = Database(url)
    microseconds = [_timed(PostgresTransactions(database), work, number) for number in range(PICKS)]
    database.close()
    return Figure(name, median(microseconds), "µs", note=note)


def _timed(transactions: PostgresTransactions, work: Callable[[UnitOfWork, int], None], number: int) -> float:
    """Each in a transaction of its own, taken back: the next one finds as many agents free."""
    with transactions.begin() as unit_of_work:
        begun = time.perf_counter()
        work(unit_of_work, number)
        return (time.perf_counter() - begun) * 1e6
