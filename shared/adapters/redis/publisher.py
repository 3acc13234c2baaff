"""Publishes what was recorded. The sender's answer never depends on it: whatever fails here is told again later."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import redis

from shared.adapters.postgres.row_mapping import agent_json
from shared.adapters.redis.channels import STATUS_UPDATES, relay_channel
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.feed import Published
from shared.contracts.plain_json import compile_json
from shared.usecases.feed.sharding import Share, split_by_shard
from shared.usecases.recording.notices import TransactionNotices

_log = logging.getLogger(__name__)
_make_message = compile_json(Published)
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
    """Publishes to the channels of so many relays."""

    def __init__(self, url: str, shards: int) -> None:
        self._shards = shards
        self._connection = _PipelinedConnection(url)
        self._awaited: list[int] = []  # the shard of each message in the command that Redis has not answered yet
        self._without_relay: set[int] = set()

    def publish(self, notices: Sequence[TransactionNotices]) -> None:
        """Send one command. Its answer is read before the next command, or by `shards_without_relay`."""
        self._read_answer()
        messages = [message for news in notices for message in self._messages(news)]
        if not messages:
            return
        statuses = b"\n".join([change.status for news in notices for change in news.changes])
        arguments = (part for shard, message in messages for part in (relay_channel(shard), message))
        try:
            self._connection.send("EVAL", _PUBLISH, 0, STATUS_UPDATES, statuses, *arguments)
            self._awaited = [shard for shard, _ in messages]
        except redis.RedisError as error:
            _log_failure(error)

    def shards_without_relay(self) -> set[int]:
        """Return the shards whose messages no relay has received since the last call."""
        self._read_answer()
        shards, self._without_relay = self._without_relay, set()
        return shards

    def _read_answer(self) -> None:
        awaited, self._awaited = self._awaited, []
        if not awaited:
            return
        try:
            listeners = self._connection.answer()
        except redis.RedisError as error:
            _log_failure(error)
            return
        metrics.observe(Metric.LISTENERS, min(listeners))
        self._without_relay |= {shard for shard, count in zip(awaited, listeners, strict=True) if not count}

    def close(self) -> None:
        self._connection.close()

    def ping_milliseconds(self) -> float | None:
        """None where Redis does not answer."""
        self._read_answer()
        begun = time.perf_counter()
        try:
            self._connection.send("PING")
            self._connection.answer()
        except redis.RedisError:
            return None
        return (time.perf_counter() - begun) * 1000

    def _messages(self, news: TransactionNotices) -> Iterator[tuple[int, bytes]]:
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
            message = _make_message(
                transaction=news.transaction,
                shard=shard,
                changes=orjson.Fragment(b"[%b]" % changes),
                agents=[agent_json(agent) for agent in news.agents if agent.id in agents],
                traceparent=news.traceparent,
                traces=news.traces,
                left={one: queues for one, queues in news.left.items() if one in agents or news.shard is not None},
            )
            yield shard % self._shards, orjson.dumps(message)


class _PipelinedConnection:
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


def _log_failure(error: redis.RedisError) -> None:
    _log.warning("Not published. The sweep publishes it again. Cause: %s", type(error).__name__)
