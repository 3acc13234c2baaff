"""Publishes what was recorded. The sender's answer never depends on it: whatever fails here is told again later."""

import logging
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.adapters.floor_channel import FLOOR, STATUS_UPDATES
from shared.adapters.postgres.codec import agent_view, event_view
from shared.contracts.feed import Change, Published
from shared.contracts.views import CallView, StatusMessage
from shared.usecases.journal import Announcement, News

_log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 0.25  # an answer may be this much later when Redis hangs, never more


class RedisAnnouncer:
    """`wake_relay` is called where nobody listens: the relay must be started to hear of the outbox."""

    def __init__(self, url: str, wake_relay: Callable[[], None]) -> None:
        self._wake_relay = wake_relay
        self._client: Any = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),  # one more try for a connection that Redis closed while the function slept
        )

    def announce(self, news: News) -> None:
        if not news.changes and not news.agents:
            return
        try:
            listeners = self._publish(news)
        except redis.RedisError as error:
            _log.warning("Not announced, the sweep will: %s", type(error).__name__)
        else:
            if not listeners:
                self._wake_relay()

    def _publish(self, news: News) -> int:
        published = Published.model_construct(
            changes=[_change(announcement) for announcement in news.changes],
            agents=[agent_view(agent) for agent in news.agents],
        )
        pipeline = self._client.pipeline(transaction=False)
        pipeline.publish(FLOOR, published.model_dump_json())
        for announcement in news.changes:
            message = StatusMessage.of(announcement.call, announcement.row.event)
            pipeline.publish(STATUS_UPDATES, message.model_dump_json())
        return int(pipeline.execute()[0])


def _change(announcement: Announcement) -> Change:
    return Change.model_construct(
        event=event_view(announcement.row),
        call=CallView.of(announcement.call),
        previous_queue_id=announcement.previous_queue_id,
    )
