"""The example client of docs/feed.md against the running cloud."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.paths import REPOSITORY

FRAMES = 200
"""How many frames may come before the expected one. The queues are the test's own, so there are few."""


def test_the_example_follows_a_queue_and_sees_a_call_leave(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    from follow_feed import follow  # type: ignore[import-not-found]  # an example, not a package

    here, there = cloud.new_queue(), cloud.new_queue()
    agent = cloud.new_agent(here)
    token = cloud.run("token", "mint", "--role", "supervisor", "--queue", here).stdout.strip()
    call, other = cloud.new_call_id(), cloud.new_call_id()
    cloud.post("call_initiated", call, type="voice", queueId=here)
    feeds = follow(cloud.status["api"], cloud.status["websocket"], token, [f"queue:{here}"])

    def until(holds: Callable[[Any], bool]) -> None:
        assert any(holds(feed) for feed in itertools.islice(feeds, FRAMES))

    until(lambda feed: call in feed.calls and agent in feed.agents)
    cloud.post("call_initiated", other, type="voice", queueId=here)
    until(lambda feed: other in feed.calls)
    cloud.post("call_routed", call, agentId=agent, routingTime=1)
    cloud.post("call_answered", call, waitTime=2)
    until(lambda feed: feed.calls[call]["status"] == "active" and feed.agents[agent]["callId"] == call)
    cloud.post("call_transferred", call, queueId=there)
    until(lambda feed: call not in feed.calls)
    cloud.end_calls(other)
    until(lambda feed: not feed.calls)
    cloud.end_calls(call)
    feeds.close()


def test_the_example_ends_when_its_token_is_refused(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    from follow_feed import follow  # type: ignore[import-not-found]  # an example, not a package

    with pytest.raises(PermissionError):
        next(follow(cloud.status["api"], cloud.status["websocket"], "nonsense", ["ops"]))
