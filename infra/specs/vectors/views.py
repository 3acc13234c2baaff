"""Vectors about the views in frames: order, copies, calls that end, leave and return, agents, alerts and events."""

from infra.specs.vectors.build import (
    OTHER,
    QUEUE,
    Vector,
    agent,
    alert,
    answer,
    begin,
    call,
    connect,
    event,
    frame,
    left,
    page,
    read,
    subscribed,
    update,
)

_BOTH = (f"queue:{QUEUE}", f"queue:{OTHER}")
_OTHERS = ("agent:ana", f"alerts:{QUEUE}", "call:c9")

VECTORS = (
    Vector(
        "any-order-and-copies",
        "Of two views of a call, keep the one with the higher version, in whatever order and however often they come.",
        [
            *begin(),
            frame(1, update(101, call("a", 3, "active")), calls={"a": 3}, snapshot=False),
            frame(1.1, update(101, call("a", 1)), calls={"a": 3}),
            frame(1.2, update(102, call("a", 2), call("b", 1)), calls={"a": 3, "b": 1}),
            frame(1.3, update(101, call("a", 3, "active")), calls={"a": 3, "b": 1}, snapshot=False),
        ],
    ),
    Vector(
        "ended-call",
        "A view with status ended removes the call. Older views do not bring it back. A newer view does.",
        [
            *begin(call("a", 2, "active")),
            frame(1, update(101, call("a", 4, "ended")), calls={}),
            frame(1.1, update(101, call("a", 3, "on_hold")), calls={}, snapshot=False),
            frame(2, update(103, call("a", 5, "active")), calls={"a": 5}, snapshot=False),
        ],
    ),
    Vector(
        "call-moves-to-a-queue-that-is-not-followed",
        "A view that belongs to none of the topics removes the call. The call may return with a higher version.",
        [
            *begin(call("a", 2, "active"), call("b", 1)),
            frame(1, update(101, call("a", 3, queue=OTHER)), calls={"b": 1}),
            frame(1.1, update(101, call("a", 2, "active")), calls={"b": 1}, snapshot=False),
            frame(1.2, update(102, call("c", 1, queue=OTHER)), calls={"b": 1}),
            frame(2, update(103, call("a", 4)), calls={"a": 4, "b": 1}, snapshot=False),
            frame(2.1, update(102, call("a", 3, queue=OTHER)), calls={"a": 4, "b": 1}),
        ],
    ),
    Vector(
        "call-leaves",
        "An entry of left removes the call, unless a view with a higher version is known. Older views do not bring it"
        " back. A call that was never in the picture may leave, too.",
        [
            *begin(call("a", 2, "active"), call("b", 1), call("d", 7)),
            frame(1, update(101, left=[left("a", 5), left("never", 3), left("d", 6)]), calls={"b": 1, "d": 7}),
            frame(1.1, update(101, call("a", 2, "active"), call("a", 4)), calls={"b": 1, "d": 7}, snapshot=False),
            frame(2, update(103, call("a", 6)), calls={"a": 6, "b": 1, "d": 7}, snapshot=False),
            frame(2.1, update(102, left=[left("a", 5)]), calls={"a": 6, "b": 1, "d": 7}),
            frame(3, update(104, call("b", 2), left=[left("a", 8)]), calls={"b": 2, "d": 7}, snapshot=False),
        ],
    ),
    Vector(
        "call-moves-between-followed-queues",
        "A call that moves from one followed queue to another stays in the picture.",
        [
            connect(0, None, topics=_BOTH),
            frame(0.1, subscribed(100, topics=_BOTH), snapshot=True),
            read(0.2),
            answer(0.3, page(100, call("a", 2)), calls={"a": 2}, snapshot=False),
            frame(1, update(101, call("a", 3, queue=OTHER)), calls={"a": 3}),
            frame(2, update(102, call("a", 4, "ended", queue=OTHER)), calls={}, snapshot=False),
        ],
        _BOTH,
    ),
    Vector(
        "topics-of-agents-calls-and-alerts",
        "A call belongs to queue:{queueId}, call:{id}, agent:{agentId}, and while it has a flag to alerts:{queueId}.",
        [
            connect(0, None, topics=_OTHERS),
            frame(0.1, subscribed(100, topics=_OTHERS), snapshot=True),
            read(0.2),
            answer(0.3, page(100, call("a", 2, "active", agent_id="ana"), call("b", 1)), calls={"a": 2}),
            frame(1, update(101, call("c", 3, flags=["sla_breached"])), calls={"a": 2, "c": 3}),
            frame(1.1, update(102, call("c9", 1, queue=OTHER)), calls={"a": 2, "c": 3, "c9": 1}),
            frame(2, update(103, call("a", 3, agent_id="bea")), calls={"c": 3, "c9": 1}),
            frame(3, update(104, call("c", 4)), calls={"c9": 1}, snapshot=False),
        ],
        _OTHERS,
    ),
    Vector(
        "agents",
        "Of two views of an agent, keep the one with the higher version. A later view of the same version replaces it:"
        " only callId may differ.",
        [
            *begin(agents=[agent("ana", 4)]),
            frame(1, update(101, agents=[agent("ana", 6, status="away")]), agents={"ana": 6}),
            frame(1.1, update(101, agents=[agent("ana", 5)]), agents={"ana": 6}),
            frame(2, update(102, agents=[agent("ana", 7, call_id="a")]), agentCalls={"ana": "a"}),
            frame(3, update(103, agents=[agent("ana", 7)]), agentCalls={"ana": None}, agents={"ana": 7}),
            frame(4, update(104, agents=[agent("bea", 1)]), agents={"ana": 7, "bea": 1}, snapshot=False),
        ],
    ),
    Vector(
        "agents-of-other-queues",
        "An agent belongs to agent:{id} and to queue:{queueId} for each of queues. Agents who belong to none of the"
        " topics are not kept: no frame would tell of them.",
        [
            *begin(agents=[agent("ana", 4), agent("ben", 2, queues=[OTHER])]),
            frame(1, update(101, agents=[agent("eva", 1, queues=[OTHER, QUEUE])]), agents={"ana": 4, "eva": 1}),
            frame(2, update(102, agents=[agent("eva", 2, queues=[OTHER])]), agents={"ana": 4}, snapshot=False),
        ],
    ),
    Vector(
        "alerts-and-void-events",
        "The flags of the calls in the picture are the open alerts. An event that became void, or is valid again, is"
        " sent again with a higher version.",
        [
            *begin(call("a", 1)),
            frame(
                1,
                update(101, call("a", 2, flags=["sla_breached"]),
                       events=[event("e2", "a", 2, "sla_breached")], alerts=[alert("e2", "a")]),
                flags={"a": ["sla_breached"]}, events={"e2": False},
            ),
            frame(
                2,
                update(102, call("a", 3, "active"),
                       events=[event("e1", "a", 3, "call_answered"), event("e2", "a", 3, "sla_breached", void=True)],
                       alerts=[alert("e2", "a", withdrawn=True)]),
                flags={}, events={"e1": False, "e2": True}, calls={"a": 3},
            ),
            frame(
                2.1,
                update(101, call("a", 2, flags=["sla_breached"]),
                       events=[event("e2", "a", 2, "sla_breached")], alerts=[alert("e2", "a")]),
                flags={}, events={"e1": False, "e2": True}, snapshot=False,
            ),
            frame(
                3, update(103, call("a", 4, "active"), events=[event("e2", "a", 4, "sla_breached")]),
                events={"e1": False, "e2": False}, calls={"a": 4},
            ),
        ],
    ),
    Vector(
        "events-omitted",
        "A frame may leave events out. Its calls are still the latest views, and nothing has to be read.",
        [
            *begin(call("a", 1), call("b", 1)),
            frame(1, update(101, call("a", 40, "active"), call("b", 30, "ended"), eventsOmitted=68), calls={"a": 40},
                  snapshot=False),
        ],
    ),
    Vector(
        "frames-to-ignore",
        "Frames of unknown types, pong, and error frames on a subscribed connection change nothing. Fields that are not"
        " known are ignored.",
        [
            *begin(call("a", 1)),
            frame(1, {"type": "pong"}, calls={"a": 1}),
            frame(1.1, {"type": "weather", "position": 900, "calls": [call("a", 9, "ended")]}, calls={"a": 1}),
            frame(1.2, {"type": "error", "problem": {"type": "about:blank", "title": "Bad request", "status": 400}},
                  calls={"a": 1}, snapshot=False, since=100),
            frame(7, update(101, call("a", 2) | {"mood": "good"}) | {"weather": "fine"}, calls={"a": 2}, since=100),
        ],
    ),
)  # fmt: skip
