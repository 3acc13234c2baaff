"""The heads of the queues: the index against a plain version of the rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.harness import Harness

LIMIT = 3


@dataclass(frozen=True)
class Line:
    """A queue as set up; `overflow` is where else its calls may go, and after how long."""

    priority: int
    aging: int
    overflow: tuple[int, int] | None


@dataclass(frozen=True)
class Waiting:
    queue: int
    seeks: str | None
    language: str | None
    priority: int | None
    waited: int


@dataclass(frozen=True)
class Free:
    queues: tuple[int, ...]
    languages: tuple[str, ...]

    def takes(self, call: Waiting, queue: int) -> bool:
        return queue in self.queues and (call.language is None or call.language in self.languages)


QUEUES = range(3)
LANGUAGES = ("es", "zh")
lines = st.tuples(*(
    st.builds(
        Line, st.integers(0, 2), st.sampled_from([10, 60]),
        st.none() | st.tuples(st.sampled_from([q for q in QUEUES if q != queue]), st.sampled_from([0, 30, 90])),
    )
    for queue in QUEUES
))  # fmt: skip
calls = st.builds(
    Waiting, st.sampled_from(QUEUES), st.sampled_from(["own", "any", "any", None]),
    st.sampled_from([None, *LANGUAGES]), st.sampled_from([None, 0, 1, 9]), st.integers(0, 120),
)  # fmt: skip
agents = st.builds(
    Free,
    st.lists(st.sampled_from(QUEUES), unique=True).map(tuple),
    st.lists(st.sampled_from(LANGUAGES), unique=True).map(tuple),
)


def heads(queues: Sequence[Line], waiting: Sequence[Waiting], free: Sequence[Free]) -> list[str]:
    def takable(call: Waiting) -> bool:
        may_serve, overflow = [call.queue], queues[call.queue].overflow
        if overflow and call.seeks == "any" and call.waited >= overflow[1]:
            may_serve.append(overflow[0])
        return any(agent.takes(call, queue) for agent in free for queue in may_serve)

    def place(call: Waiting) -> int:
        queue = queues[call.queue]
        return -call.waited - (queue.priority if call.priority is None else call.priority) * queue.aging

    takables = [(place(call), f"call-{n:02}") for n, call in enumerate(waiting) if call.seeks and takable(call)]
    return [call_id for _, call_id in sorted(takables)[:LIMIT]]


@given(queues=lines, waiting=st.lists(calls, max_size=12), free=st.lists(agents, max_size=3))
@example(  # the line has an answered caller before the one who may overflow
    (Line(0, 60, (1, 30)), Line(0, 60, None), Line(0, 60, None)),
    [Waiting(0, "own", None, None, 99), Waiting(0, "any", None, None, 31), Waiting(0, "any", None, None, 29)],
    [Free((1,), ())],
)
def test_heads_are_the_longest_waiting_calls_an_agent_can_take(
    harness: Harness, queues: Sequence[Line], waiting: Sequence[Waiting], free: Sequence[Free]
) -> None:
    harness.rows("delete from calls_live")
    harness.rows("delete from agents")
    harness.rows(
        "insert into queues (id, name) select 'q' || n, 'q' from generate_series(0, 2) n on conflict do nothing"
    )
    for n, line in enumerate(queues):
        seconds, other = (line.overflow[1], f"q{line.overflow[0]}") if line.overflow else (None, None)
        harness.rows(
            "update queues set priority = %s, aging_seconds = %s, overflow_seconds = %s, overflow_queue_id = %s"
            " where id = %s", line.priority, line.aging, seconds, other, f"q{n}",
        )  # fmt: skip
    for n, agent in enumerate(free):
        harness.rows(
            "insert into agents (id, name, queues, languages, status, status_since)"
            " values (%s, 'a', %s, %s, 'available', now())",
            f"a{n}", [f"q{queue}" for queue in agent.queues], list(agent.languages),
        )  # fmt: skip
    for n, call in enumerate(waiting):
        began = harness.clock.now() - timedelta(seconds=call.waited)
        harness.rows(
            "insert into calls (id, status, queue_id, language, priority, initiated_at, seeks)"
            " values (%s, 'waiting', %s, %s, %s, %s, %s)",
            f"call-{n:02}", f"q{call.queue}", call.language, call.priority, began, call.seeks,
        )  # fmt: skip
    with harness.services.transactions.begin() as unit_of_work:
        found = unit_of_work.waiting_calls(harness.clock.now(), None, LIMIT)
    assert list(found) == heads(queues, waiting, free)
