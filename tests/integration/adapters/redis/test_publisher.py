"""Publishing what was recorded: sent at once, its answer heard when there is time for it, and never lost by a sleep."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from infra.local.redis import Redis
from shared import wiring
from shared.adapters.redis.channels import relay_channel
from shared.adapters.redis.publisher import RedisPublisher
from shared.domain.agent import AgentStatus
from shared.usecases.recording.notices import TransactionNotices
from shared.usecases.recording.ports import AgentRecord
from tests.support.calls import INITIATED
from tests.support.rest import Api

WAIT_SECONDS = 20
ANA = AgentRecord(
    "ana", "Ana", [], ["spanish"], AgentStatus.AVAILABLE, datetime(2026, 1, 31, tzinfo=UTC), None, None, {}, 0, 1
)


class Published:
    """What came over the floor's channel."""

    def __init__(self, client: Any) -> None:
        self._subscription = client.pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(relay_channel(0))
        self._subscription.get_message(timeout=WAIT_SECONDS)  # that it listens

    def next(self) -> object:
        message = self._subscription.get_message(timeout=WAIT_SECONDS)
        return message and message["data"]


@pytest.fixture
def client(redis_server: Redis) -> Iterator[Any]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def publisher(redis_server: Redis) -> Iterator[RedisPublisher]:
    publisher = RedisPublisher(redis_server.url, 1)
    yield publisher
    publisher.close()


def test_news_are_out_before_anybody_asks_how_many_heard_them(publisher: RedisPublisher, client: Any) -> None:
    published = Published(client)
    publisher.publish([TransactionNotices(agents=[ANA])])
    assert published.next()
    assert publisher.shards_without_relay() == set()


def test_a_publish_without_subscribers_wakes_the_relay(publisher: RedisPublisher, client: Any) -> None:
    publisher.publish([TransactionNotices(agents=[ANA])])
    assert publisher.shards_without_relay() == {0}
    assert publisher.shards_without_relay() == set()
    assert client.ping(), "Redis is there"


def test_a_publish_reconnects_after_redis_closed_the_connection(publisher: RedisPublisher, client: Any) -> None:
    publisher.publish([TransactionNotices(agents=[ANA])])
    publisher.shards_without_relay()
    published = Published(client)
    client.client_kill_filter(_type="normal", skipme=True)
    publisher.publish([TransactionNotices(agents=[ANA])])
    publisher.shards_without_relay()
    assert published.next()


def test_nothing_is_left_unsettled_when_a_request_is_answered(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(wiring, "wake_relay", woken.append)
    for number in range(2):
        assert api.post(INITIATED | {"callId": f"call-{number}"})[0] == 201
        assert len(woken) == 1, "the relay is called once in a while"
