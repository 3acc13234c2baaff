"""Vectors about snapshots: the first one, races with frames, gaps, doubts, and where to resume."""

from infra.specs.vectors.build import (
    Vector,
    agent,
    answer,
    begin,
    call,
    connect,
    cut,
    frame,
    page,
    read,
    reset,
    subscribed,
    update,
)

VECTORS = (
    Vector(
        "first-connection",
        "Subscribe without since, then read every page and the agents. Resume from the first page's position.",
        [
            connect(0, None),
            frame(0.1, subscribed(100), snapshot=True, since=100, calls={}),
            read(0.2),
            answer(0.9, page(103, call("a", 2), call("b", 1), more=True), page(105, call("c", 4)),
                   agents=[agent("ana", 3)], calls={"a": 2, "b": 1, "c": 4}, agents_={"ana": 3},
                   snapshot=False, since=103),
        ],
    ),
    Vector(
        "older-snapshot",
        "A snapshot does not replace a view with a higher version, nor bring back a call that has ended or left.",
        [
            connect(0, None),
            frame(0.1, subscribed(100)),
            read(0.2),
            frame(0.3, update(101, call("a", 3), call("b", 2, "ended"), left=[{"id": "c", "version": 4}])),
            answer(0.9, page(100, call("a", 2), call("b", 1), call("c", 3)), calls={"a": 3}, snapshot=False),
        ],
    ),
    Vector(
        "frame-newer-than-the-snapshot",
        "A snapshot cannot remove a call whose view came in a frame with a higher position.",
        [
            *begin(call("a", 1)),
            frame(1, reset(101), snapshot=True),
            read(1.1),
            frame(1.2, update(106, call("new", 1))),
            answer(1.3, page(105, call("a", 1)), calls={"a": 1, "new": 1}, snapshot=False, since=105),
        ],
    ),
    Vector(
        "frame-as-old-as-the-snapshot",
        "A call that a frame brought during the read, that the snapshot lacks, and whose frame's position is not higher"
        " than the snapshot's, is kept and leaves a doubt. The next snapshot decides.",
        [
            *begin(call("a", 1)),
            frame(1, reset(101), snapshot=True),
            read(1.1),
            frame(1.2, update(103, call("new", 1), call("a", 2))),
            answer(1.3, page(105), calls={"new": 1, "a": 2}, snapshot=True),
            read(2),
            answer(2.1, page(106, call("a", 2)), calls={"a": 2}, snapshot=False),
        ],
    ),
    Vector(
        "absent-from-the-snapshot",
        "A call or an agent that the snapshot lacks is removed, if its view is the one that stood in the picture when"
        " the read began. A late copy of that view does not bring the call back.",
        [
            *begin(call("a", 1), call("b", 4), agents=[agent("ana", 1), agent("bea", 2)]),
            frame(1, reset(103), snapshot=True, calls={"a": 1, "b": 4}),
            read(1.1),
            answer(1.2, page(105, call("a", 1)), agents=[agent("ana", 1)], calls={"a": 1}, agents_={"ana": 1},
                   snapshot=False, since=105),
            frame(1.3, update(101, call("b", 4)), calls={"a": 1}, snapshot=False),
        ],
    ),
    Vector(
        "late-frame-leaves-a-doubt",
        "A frame whose position is not higher than the last snapshot's, and that brings a live call which the picture"
        " lacks, leaves a doubt: the call may have ended before the snapshot. A frame with a higher position does not.",
        [
            *begin(call("a", 1), position=200),
            frame(1, update(199, call("a", 2), call("over", 3, "ended")), calls={"a": 2}, snapshot=False),
            frame(1.1, update(201, call("new", 1)), calls={"a": 2, "new": 1}, snapshot=False),
            frame(1.2, update(200, call("old", 1)), calls={"a": 2, "new": 1, "old": 1}, snapshot=True),
            read(1.3),
            answer(1.4, page(204, call("a", 2), call("new", 1)), calls={"a": 2, "new": 1}, snapshot=False),
        ],
    ),
    Vector(
        "late-agent-leaves-a-doubt",
        "A late frame that brings an agent whom the picture lacks leaves a doubt, too. So does an agent who changed"
        " during the read and is not in its answer.",
        [
            *begin(agents=[agent("ana", 1)], position=200),
            frame(1, update(200, agents=[agent("bea", 3)]), agents={"ana": 1, "bea": 3}, snapshot=True),
            read(1.1),
            frame(1.2, update(203, agents=[agent("ana", 2)])),
            answer(1.3, page(203), agents=[agent("bea", 3)], agents_={"ana": 2, "bea": 3}, snapshot=True),
            read(1.4),
            answer(1.5, page(204), agents=[agent("bea", 3)], agents_={"bea": 3}, snapshot=False),
        ],
    ),
    Vector(
        "reset",
        "A reset removes nothing by itself. It requires a snapshot that is asked for after it.",
        [
            *begin(call("a", 1), call("b", 1), agents=[agent("ana", 1)]),
            frame(1, reset(110), calls={"a": 1, "b": 1}, agents={"ana": 1}, snapshot=True),
            frame(1.1, update(111, call("c", 1)), calls={"a": 1, "b": 1, "c": 1}, snapshot=True),
            read(1.2),
            answer(1.3, page(112, call("a", 5), call("c", 1)), calls={"a": 5, "c": 1}, agents_={}, snapshot=False),
        ],
    ),
    Vector(
        "reset-during-a-read",
        "A snapshot that was asked for before the reset does not satisfy it, though its views count.",
        [
            *begin(call("a", 1), call("b", 1)),
            frame(1, reset(110), snapshot=True),
            read(1.1),
            frame(1.2, reset(112)),
            answer(1.3, page(111, call("a", 2)), calls={"a": 2, "b": 1}, snapshot=True, since=100),
            read(1.4),
            answer(1.5, page(113, call("a", 2)), calls={"a": 2}, snapshot=False, since=113),
        ],
        concurrent=True,
    ),
    Vector(
        "read-fails",
        "A snapshot that was not read to its end satisfies nothing, not even after a new connection that replayed"
        " everything since.",
        [
            *begin(call("a", 1)),
            frame(1, reset(110), snapshot=True),
            read(1.1),
            {"at": 1.2, "do": "fail", "expect": {"snapshot": True, "since": 100}},
            cut(1.3, snapshot=True),
            connect(2, 100),
            frame(2.1, subscribed(111, replayed=True), snapshot=True, calls={"a": 1}),
            read(2.2),
            answer(2.3, page(111, call("b", 1)), calls={"b": 1}, snapshot=False, since=111),
        ],
    ),
    Vector(
        "resume-and-replay",
        "After a cut, subscribe with since. Frames of the replay carry that position; subscribed ends it. With replayed"
        " true nothing has to be read.",
        [
            *begin(call("a", 1)),
            frame(1, update(130, call("a", 2))),
            frame(6, update(131, call("a", 3)), since=130),
            cut(7, snapshot=False, since=130),
            connect(8, 130),
            frame(8.1, update(130, call("a", 4, "ended"), call("b", 2)), calls={"b": 2}, snapshot=False),
            frame(8.2, subscribed(180, replayed=True), snapshot=False, since=130, calls={"b": 2}),
            frame(13.3, update(190, call("b", 3)), since=180),
        ],
    ),
    Vector(
        "replayed-false",
        "If the server cannot replay, it sends reset and then subscribed with replayed false. One snapshot after"
        " subscribed serves for both. A subscription without since, as for further topics, is answered with replayed"
        " false, too.",
        [
            *begin(call("a", 1), call("b", 1)),
            cut(2),
            connect(3, 100),
            frame(3.1, reset(190)),
            frame(3.2, subscribed(190), calls={"a": 1, "b": 1}, snapshot=True),
            read(3.3),
            answer(3.4, page(191, call("b", 2)), calls={"b": 2}, snapshot=False, since=191),
            frame(4, subscribed(192), calls={"b": 2}, snapshot=True, since=191),
            read(4.1),
            answer(4.2, page(193, call("b", 2)), snapshot=False, since=193),
        ],
    ),
    Vector(
        "overlap",
        "A frame's position becomes the one to resume from when another frame comes 5 s later or more on the same"
        " connection.",
        [
            *begin(call("a", 1)),
            frame(10, update(130, call("a", 3)), since=100),
            frame(12, update(120, call("b", 1)), since=100),
            frame(14.9, update(140, call("a", 4)), since=100),
            frame(15, update(141, call("a", 5)), since=130),
            frame(17, update(150, call("a", 6)), since=130),
            frame(20, update(160, call("a", 7)), since=141),
            cut(21, since=141),
            connect(22, 141),
        ],
    ),
    Vector(
        "cut-during-the-replay",
        "Frames of the old connection do not count on the new one. A replay that is cut is asked for again from"
        " the same position.",
        [
            *begin(call("a", 1)),
            frame(1, update(130, call("a", 3)), since=100),
            cut(2, since=100),
            connect(10, 100),
            frame(10.1, update(100, call("a", 3)), since=100),
            cut(10.2, since=100),
            connect(11, 100),
            frame(11.1, update(100, call("a", 3), call("b", 1)), since=100),
            frame(11.2, subscribed(140, replayed=True), calls={"a": 3, "b": 1}, since=100),
        ],
    ),
    Vector(
        "time-on-a-dead-connection",
        "Only a later frame moves the position to resume from. Time that passes without frames does not.",
        [
            *begin(),
            frame(1, update(130, call("a", 1)), since=100),
            cut(600, since=100),
            connect(601, 100),
            frame(601.1, update(100, call("a", 1)), calls={"a": 1}),
        ],
    ),
)  # fmt: skip
