"""Vectors about polling, where no socket can be had."""

from infra.specs.vectors.build import Vector, agent, answer, begin, call, connect, cut, left, page, poll, read

VECTORS = (
    Vector(
        "polling",
        "A poll asks for the changes since the position to resume from, and its answer's position is the next one."
        " Calls, left and agents are taken by version. A new connection resumes from there.",
        [
            *begin(call("a", 3), call("b", 1), call("c", 2), agents=[agent("ana", 1)]),
            cut(1, since=100),
            poll(
                4,
                150,
                call("a", 2),
                call("b", 2, "ended"),
                call("d", 1),
                left=[left("c", 5)],
                agents=[agent("ana", 2)],
                expect={"calls": {"a": 3, "d": 1}, "agents": {"ana": 2}, "since": 150, "snapshot": False},
            ),
            poll(7, 160, call("c", 7), left=[left("a", 2)], expect={"calls": {"a": 3, "c": 7, "d": 1}, "since": 160}),
            connect(8, 160),
        ],
    ),
    Vector(
        "poll-reset",
        "A poll that is answered with reset requires a snapshot.",
        [
            *begin(call("a", 3)),
            cut(1),
            poll(4, 900, reset=True, expect={"calls": {"a": 3}, "snapshot": True}),
            read(4.1),
            answer(4.2, page(901, call("b", 1)), calls={"b": 1}, snapshot=False, since=901),
        ],
    ),
)
