"""Publishes what was recorded. The sender's answer never depends on it: whatever fails here is told again later."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.adapters import metrics
from shared.adapters.floor_channel import STATUS_UPDATES, floor_channel
from shared.adapters.metrics import Metric
from shared.adapters.postgres.codec import agent_json
from shared.usecases.news import News
from shared.usecases.shards import shared_out

_log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 0.25  # an answer may be this much later when Redis hangs, never more

# One command for a whole batch: commands and arguments are dear to the client, not to the server. First what others
# listen to, a line a message, then pairs of a channel and what our relay hears on it; answers how many heard each.
_PUBLISH = """
for message in string.gmatch(ARGV[2], '[^\\n]+') do redis.call('publish', ARGV[1], message) end
local heard = {}
for i = 3, #ARGV, 2 do heard[#heard + 1] = redis.call('publish', ARGV[i], ARGV[i + 1]) end
return heard
"""


class RedisAnnouncer:
    """`wake_relay` is called with a shard where nobody listens: its relay must be started to hear of the outbox."""

    def __init__(self, url: str, shards: int, wake_relay: Callable[[int], None]) -> None:
        self._shards, self._wake_relay = shards, wake_relay
        self._client: Any = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),  # one more try for a connection that Redis closed while the function slept
        )

    def announce(self, news: News) -> None:
        self.announce_all([news])

    def announce_all(self, several: Sequence[News]) -> None:
        floor = [message for news in several for message in self._messages(news)]
        if not floor:
            return
        statuses = b"\n".join([change.status for news in several for change in news.changes])
        try:
            heard = self._publish(statuses, [(floor_channel(shard), message) for shard, message in floor])
        except redis.RedisError as error:
            _log.warning("Not announced, the sweep will: %s", type(error).__name__)
        else:
            metrics.observe(Metric.LISTENERS, min(heard))
            for shard in {shard for (shard, _), listeners in zip(floor, heard, strict=True) if not listeners}:
                self._wake_relay(shard)

    def ping_milliseconds(self) -> float | None:
        """None where Redis does not answer."""
        begun = time.perf_counter()
        try:
            self._client.ping()
        except redis.RedisError:
            return None
        return (time.perf_counter() - begun) * 1000

    def _publish(self, statuses: bytes, messages: Sequence[tuple[str, bytes]]) -> list[int]:
        return self._client.eval(
            _PUBLISH, 0, STATUS_UPDATES, statuses, *(part for message in messages for part in message)
        )

    def _messages(self, news: News) -> Iterator[tuple[int, bytes]]:
        """As `contracts.feed.Published`, one for each relay that has a share."""
        queues = {change.call.id: change.call.queue_id for change in news.changes}
        shares = shared_out(queues, [(agent.id, agent.call_id) for agent in news.agents], self._shards)
        for shard, share in shares.items():
            calls, agents = set(share.calls), set(share.agents)
            changes = b",".join([change.change for change in news.changes if change.call.id in calls])
            told = {
                "transaction": news.transaction,
                "changes": orjson.Fragment(b"[%b]" % changes),
                "agents": [agent_json(agent) for agent in news.agents if agent.id in agents],
                "traceparent": news.traceparent,
                "traces": news.traces,
            }
            yield shard, orjson.dumps(told)
