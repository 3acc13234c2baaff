"""`switchboard tail`: its topics, and its output."""

import pytest

from infra.cli.tail import Printer, Wanted, lines
from infra.client import Api, Feed, FeedUpdate, Replica
from infra.client.replica import Change

QUEUES = ["legal", "medical"]


@pytest.mark.parametrize(
    ("wanted", "topics"),
    [
        pytest.param(Wanted(), ["queue:legal", "queue:medical"], id="all"),
        pytest.param(Wanted(only_alerts=True), ["alerts:legal", "alerts:medical"], id="all that is flagged"),
        pytest.param(Wanted(queues=("legal",)), ["queue:legal"], id="one queue"),
        pytest.param(Wanted(queues=("legal",), only_alerts=True), ["alerts:legal"], id="what is flagged in one"),
        pytest.param(Wanted(("call:c1", "ops")), ["call:c1", "ops"], id="topics"),
        pytest.param(Wanted(("medical",)), ["queue:medical"], id="a queue by its bare id"),
        pytest.param(Wanted(("agent:a",), ("legal",)), ["agent:a", "queue:legal"], id="both"),
    ],
)
def test_the_options_choose_the_topics(wanted, topics):
    assert wanted.topics_of(QUEUES) == topics


@pytest.mark.parametrize("wanted", [Wanted(("leg",)), Wanted(("alerts:leg",)), Wanted(("ops",), ("leg", "legal"))])
def test_an_unknown_queue_is_refused(wanted):
    assert wanted.unknown(QUEUES) == ["leg"]
    assert Wanted(("call:leg", "legal")).unknown(QUEUES) == []


def test_each_event_and_each_changed_call_has_a_line():
    times = {"startTime": "2026-01-01T00:00:01.000Z", "endTime": None}
    call = {"id": "c1", "queueId": "legal", "status": "waiting", "flags": ["sla_breached"], **times}
    event = {"callId": "c1", "type": "sla_breached", "timestamp": "2026-01-01T00:00:31.000Z", "void": True}
    agent = {"id": "ana", "status": "away", "reason": "missed", "statusSince": "2026-01-01T00:00:16.000Z"}
    replica = Replica(calls={"c1": call})
    other = {**call, "id": "c2", "flags": []}
    printed = [line.plain for line in lines(FeedUpdate("update", Change((call, other), (event,), (agent,))), replica)]
    assert [line.split() for line in printed] == [
        ["00:00:31.000", "c1", "legal", "sla_breached", "waiting", "sla_breached", "void"],
        ["00:00:01.000", "c2", "legal", "waiting"],
        ["00:00:16.000", "ana", "is", "away", "(missed)"],
    ]


def test_an_outage_is_printed_once_for_each_reaction(capsys):
    feed = Feed(Api("http://nowhere", "t"), "ws://nowhere", "t", ["queue:legal"])
    printer = Printer(feed)
    for polls in (False, False, True, True):
        feed.is_polling = polls
        printer.show(FeedUpdate("lost", detail="refused"))
    printer.show(FeedUpdate("live", frame={"topics": ["queue:legal"]}))
    feed.is_polling = False
    printer.show(FeedUpdate("lost", detail="cut"))
    assert capsys.readouterr().err.splitlines() == [
        "Connection lost (refused); resuming.",
        "Connection lost (refused); polling until a connection succeeds.",
        "Live: queue:legal",
        "Connection lost (cut); resuming.",
    ]
