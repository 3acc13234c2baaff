"""Listens to a relay's channel, and detects when Redis no longer answers."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.adapters.redis.channels import relay_channel
from shared.contracts.feed import OutboxMessage
from shared.usecases.feed.cancellation import raise_pending_cancellation
from shared.usecases.feed.ports import ChannelDownError

_log = logging.getLogger(__name__)
SILENCE_SECONDS = 5.0  # before a ping
OUTAGE_ERRORS = (RedisError, OSError, TimeoutError)


class RedisSubscriber:
    def __init__(self, url: str, shard: int) -> None:
        self._url, self._name = url, relay_channel(shard)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[OutboxMessage]]:
        # Without retries: a silent reconnect would hide lost messages.
        client: Any = redis.asyncio.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
            self._url, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        try:
            subscription = client.pubsub()
            await _subscribe(subscription, self._name)
            raise_pending_cancellation()
            yield _messages(subscription)
        finally:
            await client.aclose()


async def _subscribe(subscription: Any, name: str) -> None:  # noqa: ANN401 - partly typed upstream
    try:
        await subscription.subscribe(name)
        if not await subscription.get_message(timeout=SILENCE_SECONDS):
            raise ChannelDownError("Redis did not confirm the subscription.")
    except OUTAGE_ERRORS as error:
        raise ChannelDownError(str(error) or type(error).__name__) from error


async def _messages(subscription: Any) -> AsyncGenerator[OutboxMessage]:  # noqa: ANN401 - partly typed upstream
    try:
        is_pinged = False
        while True:
            message = await subscription.get_message(timeout=SILENCE_SECONDS)
            raise_pending_cancellation()
            if message is None and is_pinged:
                raise ChannelDownError(f"Redis did not answer a ping within {SILENCE_SECONDS:g} s.")
            is_pinged = message is None
            if message is None:
                await subscription.ping()
            elif message["type"] == "message" and (published := _parse(message["data"])):
                yield published
    except OUTAGE_ERRORS as error:
        raise ChannelDownError(str(error) or type(error).__name__) from error


def _parse(data: bytes) -> OutboxMessage | None:
    try:
        return OutboxMessage.model_validate_json(data)
    except ValidationError as error:
        _log.warning("Ignored an invalid message: %s errors", error.error_count())
        return None
