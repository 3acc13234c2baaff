"""Publishes what was recorded. The sender's answer never depends on it: whatever fails here is told again later."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import redis

from shared.adapters.postgres.row_mapping import agent_json
from shared.adapters.redis.channels import STATUS_UPDATES, relay_channel
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.usecases.feed.sharding import Share, split_by_shard
from shared.usecases.recording.notices import News

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


class RedisPublisher:
    """`wake_relay` is called with a shard where nobody listens: its relay must be started to hear of the outbox."""

    def __init__(self, url: str, shards: int, wake_relay: Callable[[int], None]) -> None:
        self._shards, self._wake_relay = shards, wake_relay
        self._line = _Line(url)
        self._told: list[int] = []  # shards for which Redis has still to say how many heard

    def announce(self, news: News) -> None:
        self.announce_all([news])

    def announce_all(self, several: Sequence[News]) -> None:
        self.send(several)
        self.settle()

    def send(self, several: Sequence[News]) -> None:
        """To be followed by `settle`: meanwhile the answer is on its way."""
        self.settle()
        floor = [message for news in several for message in self._messages(news)]
        if not floor:
            return
        statuses = b"\n".join([change.status for news in several for change in news.changes])
        pairs = (part for shard, message in floor for part in (relay_channel(shard), message))
        try:
            self._line.send("EVAL", _PUBLISH, 0, STATUS_UPDATES, statuses, *pairs)
            self._told = [shard for shard, _ in floor]
        except redis.RedisError as error:
            _not_announced(error)

    def settle(self) -> None:
        told, self._told = self._told, []
        if not told:
            return
        heard: list[int] = []
        try:
            heard = self._line.answer()
            metrics.observe(Metric.LISTENERS, min(heard))
        except redis.RedisError as error:
            _not_announced(error)
        for shard in {shard for shard, listeners in zip(told, heard, strict=False) if not listeners}:
            self._wake_relay(shard)

    def close(self) -> None:
        self._line.close()

    def ping_milliseconds(self) -> float | None:
        """None where Redis does not answer."""
        self.settle()
        begun = time.perf_counter()
        try:
            self._line.send("PING")
            self._line.answer()
        except redis.RedisError:
            return None
        return (time.perf_counter() - begun) * 1000

    def _messages(self, news: News) -> Iterator[tuple[int, bytes]]:
        """As `contracts.feed.Published`, one for each relay that has a share, which is what it owes. What is told again
        stays the share that it was: there may be more shards by now, or fewer.
        """
        queues = {change.call.id: change.call.queue_id for change in news.changes}
        if news.shard is None:
            shares = split_by_shard(queues, news.moves or [(agent.id, None) for agent in news.agents], self._shards)
        else:
            shares = {news.shard: Share(list(queues), [agent.id for agent in news.agents])}
        for shard, share in shares.items():
            calls, agents = set(share.calls), set(share.agents)
            changes = b",".join([change.change for change in news.changes if change.call.id in calls])
            told = {
                "transaction": news.transaction,
                "shard": shard,
                "changes": orjson.Fragment(b"[%b]" % changes),
                "agents": [agent_json(agent) for agent in news.agents if agent.id in agents],
                "traceparent": news.traceparent,
                "traces": news.traces,
                "left": {one: queues for one, queues in news.left.items() if one in agents or news.shard is not None},
            }
            yield shard % self._shards, orjson.dumps(told)


class Later:
    """Announces, and lets its caller go on while Redis is at it. Whoever ends the invocation settles."""

    def __init__(self, announcer: RedisPublisher) -> None:
        self._announcer = announcer

    def announce(self, news: News) -> None:
        self._announcer.send([news])


class _Line:
    """A connection to Redis whose answers are heard when there is time, one for each command."""

    def __init__(self, url: str) -> None:
        options = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        pool: Any = redis.ConnectionPool.from_url(url, **options)  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
        self._connection = pool.make_connection()
        self._sent: tuple[str | bytes | int, ...] = ()

    def send(self, *command: str | bytes | int) -> None:
        self._sent = command
        try:
            self._connection.send_command(*command)
        except redis.ConnectionError:
            self._connection.send_command(*command)

    def answer(self) -> Any:  # noqa: ANN401 - as Redis has it
        """Redis may have closed the connection while the function slept, which is found out as late as here."""
        try:
            return self._connection.read_response()
        except redis.ConnectionError:
            self._connection.send_command(*self._sent)
            return self._connection.read_response()

    def close(self) -> None:
        self._connection.disconnect()


def _not_announced(error: redis.RedisError) -> None:
    _log.warning("Not announced, the sweep will: %s", type(error).__name__)
