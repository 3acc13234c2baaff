"""WebSocket connections and their messages, and the relay that sends updates to them."""

import asyncio
from contextlib import suppress
from typing import Any

from chalice.app import Chalice

from shared import wiring
from shared.adapters import clock
from shared.adapters.auth import signing_keys, tokens
from shared.adapters.aws import secrets
from shared.adapters.aws.lambda_handler import monitored
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.settings import settings
from shared.usecases.errors import UnavailableError
from shared.usecases.feed.connect import connect as open_connection
from shared.usecases.feed.connect import disconnect as close_connection
from shared.usecases.feed.handle_message import UnknownConnectionError, answer_message
from shared.usecases.feed.lease import WAKE_ATTEMPTS, WAKE_TIMEOUT_SECONDS, find_vacancies

app = Chalice(app_name="switchboard-broadcast")
log = wiring.logger("broadcast")

HAND_OVER_SECONDS = WAKE_ATTEMPTS * WAKE_TIMEOUT_SECONDS + 10  # reserved for the hand-over and unsent updates
Json = dict[str, Any]


@app.lambda_function(name="connect")
@monitored
def connect(event: Json, _context: object) -> Json:
    """Any status except 200 rejects the handshake."""
    connection_id = _connection_id(event)
    try:
        parameters: Json = event.get("queryStringParameters") or {}
        principal = signing_keys.authenticate(parameters.get("token") or "")
        listener = open_connection(wiring.registry(), connection_id, principal, clock.now())
    except tokens.TokenError as error:
        log.info("%s rejected: %s", connection_id, error)
        return {"statusCode": 401, "body": str(error)}
    except (UnavailableError, secrets.SecretError) as error:
        log.error("%s rejected: %s", connection_id, error)
        metrics.count(Metric.UNAVAILABLE)
        return {"statusCode": 503}
    log.info("%s connected as %s until %s", connection_id, principal.role, listener.expires_at)
    return {"statusCode": 200}


@app.lambda_function(name="disconnect")
@monitored
def disconnect(event: Json, _context: object) -> Json:
    _remove(_connection_id(event))
    return {"statusCode": 200}


def _remove(connection_id: str) -> None:
    try:
        close_connection(wiring.registry(), connection_id)
        log.info("%s disconnected", connection_id)
    except UnavailableError as error:  # a 410 or the expiry will remove it
        log.warning("%s disconnected, but could not be removed: %s", connection_id, error)


@app.lambda_function(name="message")
@monitored
def message(event: Json, _context: object) -> Json:
    connection_id, connections = _connection_id(event), wiring.connections()
    frames = 0
    try:
        for frame in answer_message(wiring.registry(), connection_id, event.get("body") or ""):
            frames += 1
            if not connections.post(connection_id, frame):
                _remove(connection_id)
                break
    except UnknownConnectionError:
        _close(connection_id)
    except OSError as error:
        log.warning("%s could not be answered: %s", connection_id, error)
        _close(connection_id)
    log.info("answered %s with %d frames", connection_id, frames)
    return {"statusCode": 200}


def _close(connection_id: str) -> None:
    """The client reconnects and subscribes again. If this fails, the connection is closed when it expires."""
    with suppress(OSError):
        wiring.connections().close(connection_id)


@app.lambda_function(name="relay")
@monitored
def relay(event: Json, context: Any) -> Json:  # noqa: ANN401 - Lambda's context has no type
    """The event names the `shard` and the fencing token `after`. The schedule names none and fills any vacancy."""
    candidates = [int(event["shard"])] if "shard" in event else wiring.relay_shards()
    after = event.get("after")
    try:
        vacant = find_vacancies(lambda: wiring.leases().vacant(candidates, after), clock.sleep)
    except UnavailableError as error:
        log.error("Could not acquire a shard: %s", error)
        metrics.count(Metric.UNAVAILABLE)
        return {}
    finally:
        wiring.database().close()  # a relay opens its own connections
    if not vacant or vacant[0] not in wiring.relay_shards():
        log.info("Every shard has a relay.")
        return {}
    for other in vacant[1:]:
        wiring.wake_relay(other)
    left_seconds = context.get_remaining_time_in_millis() / 1000 - HAND_OVER_SECONDS
    summary = asyncio.run(_relay(vacant[0], min(settings().relay_seconds, left_seconds), after))
    log.info("shard %(shard)d: relayed %(events)d events in %(posts)d posts", summary)
    return summary


async def _relay(shard: int, seconds: float, after: int | None) -> dict[str, int]:
    async with wiring.relay(shard) as running:
        await running.run(seconds, after)
        return {"shard": shard, "events": running.events, "posts": running.sender.posts}


def _connection_id(event: Json) -> str:
    return event["requestContext"]["connectionId"]
