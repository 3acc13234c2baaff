"""Publishes what was recorded. The sender's answer never depends on it: whatever fails here is told again later."""

import logging
import time
from collections.abc import Callable
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.adapters import metrics
from shared.adapters.floor_channel import FLOOR, STATUS_UPDATES
from shared.adapters.metrics import Metric
from shared.adapters.postgres.codec import agent_view, event_json_of
from shared.contracts.wire import Json, call_json, status_json
from shared.usecases.journal import Announcement, News

_log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 0.25  # an answer may be this much later when Redis hangs, never more

# One command for a whole batch: commands are dear to the client, not to the server. Answers how many heard the first.
_PUBLISH = """
local heard = redis.call('publish', ARGV[1], ARGV[2])
for i = 4, #ARGV do redis.call('publish', ARGV[3], ARGV[i]) end
return heard
"""


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
            metrics.observe(Metric.LISTENERS, listeners)
            if not listeners:
                self._wake_relay()

    def ping_milliseconds(self) -> float | None:
        """None where Redis does not answer."""
        begun = time.perf_counter()
        try:
            self._client.ping()
        except redis.RedisError:
            return None
        return (time.perf_counter() - begun) * 1000

    def _publish(self, news: News) -> int:
        changes = [_change(announcement) for announcement in news.changes]
        agents = [agent_view(agent).model_dump(mode="json") for agent in news.agents]
        statuses = [orjson.dumps(status_json(change["call"], change["event"])) for change in changes]
        floor = orjson.dumps({"changes": changes, "agents": agents})
        return int(self._client.eval(_PUBLISH, 0, FLOOR, floor, STATUS_UPDATES, *statuses))


def _change(announcement: Announcement) -> Json:
    """As `contracts.feed.Change`."""
    return {
        "event": event_json_of(announcement.row),
        "call": call_json(announcement.call),
        "previousQueueId": announcement.previous_queue_id,
    }
