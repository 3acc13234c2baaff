"""Publishes notices on Redis. Logs failures: the sweep publishes again what no relay received."""

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
from shared.contracts.feed import OutboxMessage
from shared.contracts.plain_json import compile_json
from shared.usecases.feed.sharding import Share, split_by_shard
from shared.usecases.recording.notices import TransactionNotices

_log = logging.getLogger(__name__)
_make_message = compile_json(OutboxMessage)
TIMEOUT_SECONDS = 0.25  # the longest delay of a response when Redis hangs

# One command for all notices, because each command and argument costs the client more than the server.
# ARGV: the channel for other listeners, their messages (one a line), then pairs of a relay's channel and its message.
# Returns the number of listeners of each pair.
_PUBLISH = """
for message in string.gmatch(ARGV[2], '[^\\n]+') do redis.call('publish', ARGV[1], message) end
local listeners = {}
for i = 3, #ARGV, 2 do listeners[#listeners + 1] = redis.call('publish', ARGV[i], ARGV[i + 1]) end
return listeners
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
        messages = [message for transaction in notices for message in self._messages(transaction)]
        if not messages:
            return
        statuses = b"\n".join([notice.status_json for transaction in notices for notice in transaction.calls])
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
        """None if Redis does not answer."""
        self._read_answer()
        started = time.perf_counter()
        try:
            self._connection.send("PING")
            self._connection.answer()
        except redis.RedisError:
            return None
        return (time.perf_counter() - started) * 1000

    def _messages(self, notices: TransactionNotices) -> Iterator[tuple[int, bytes]]:
        """A `contracts.feed.OutboxMessage` for each relay that has a share of the transaction, and the relay's shard.

        An outbox row that is published again keeps its share: the number of shards may have changed.
        """
        queues = {notice.call.id: notice.call.queue_id for notice in notices.calls}
        if notices.shard is None:
            agents_with_calls = notices.moves or [(agent.id, None) for agent in notices.agents]
            shares = split_by_shard(queues, agents_with_calls, self._shards)
        else:
            shares = {notices.shard: Share(list(queues), [agent.id for agent in notices.agents])}
        for shard, share in shares.items():
            call_ids, agent_ids = set(share.calls), set(share.agents)
            changes = b",".join([notice.change_json for notice in notices.calls if notice.call.id in call_ids])
            message = _make_message(
                transaction=notices.transaction,
                shard=shard,
                changes=orjson.Fragment(b"[%b]" % changes),
                agents=[agent_json(agent) for agent in notices.agents if agent.id in agent_ids],
                traceparent=notices.traceparent,
                traces=notices.traces,
                left={
                    subject_id: queue_ids
                    for subject_id, queue_ids in notices.left_queues.items()
                    if subject_id in agent_ids or notices.shard is not None
                },
            )
            yield shard % self._shards, orjson.dumps(message)


class _PipelinedConnection:
    """A connection to Redis. The answer to a command is read later, before the next command.

    Optimisation: redis-py's client takes 2.7 times the processor time for a message, and waits for each answer.
    `bench/optimisations.py` measures both.
    """

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
        """Redis may have closed the connection while the function was frozen: then the command is sent again."""
        try:
            return self._connection.read_response()
        except redis.ConnectionError:
            self._connection.send_command(*self._sent)
            return self._connection.read_response()

    def close(self) -> None:
        self._connection.disconnect()


def _log_failure(error: redis.RedisError) -> None:
    _log.warning("Not published. The sweep publishes it again. Cause: %s", type(error).__name__)
