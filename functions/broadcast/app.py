"""The sockets: who connects, what they say, and the relay that tells them what happens."""

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

LEAVE_SECONDS = (
    WAKE_ATTEMPTS * WAKE_TIMEOUT_SECONDS + 10
)  # kept of a function's time for handing over and for what is under way
Json = dict[str, Any]


@app.lambda_function(name="connect")
@monitored
def connect(event: Json, _context: object) -> Json:
    """Whatever is not 200 refuses the handshake."""
    connection_id = _connection_id(event)
    try:
        parameters: Json = event.get("queryStringParameters") or {}
        principal = signing_keys.authenticate(parameters.get("token") or "")
        listener = open_connection(wiring.registry(), connection_id, principal, clock.now())
    except tokens.TokenError as error:
        log.info("%s refused: %s", connection_id, error)
        return {"statusCode": 401, "body": str(error)}
    except (UnavailableError, secrets.SecretError) as error:
        log.error("%s refused: %s", connection_id, error)
        metrics.count(Metric.UNAVAILABLE)
        return {"statusCode": 503}
    log.info("%s connected as %s until %s", connection_id, principal.role, listener.expires_at)
    return {"statusCode": 200}


@app.lambda_function(name="disconnect")
@monitored
def disconnect(event: Json, _context: object) -> Json:
    _strike_off(_connection_id(event))
    return {"statusCode": 200}


def _strike_off(connection_id: str) -> None:
    try:
        close_connection(wiring.registry(), connection_id)
        log.info("%s disconnected", connection_id)
    except UnavailableError as error:  # a 410 or the expiry will remove it
        log.warning("%s disconnected, and is listed still: %s", connection_id, error)


@app.lambda_function(name="message")
@monitored
def message(event: Json, _context: object) -> Json:
    connection_id, connections = _connection_id(event), wiring.connections()
    frames = 0
    try:
        for frame in answer_message(wiring.registry(), connection_id, event.get("body") or ""):
            frames += 1
            if not connections.post(connection_id, frame):
                _strike_off(connection_id)
                break
    except UnknownConnectionError:
        _cut_off(connection_id)
    except OSError as error:
        log.warning("%s is not answered: %s", connection_id, error)
        _cut_off(connection_id)
    log.info("%s answered with %d frames", connection_id, frames)
    return {"statusCode": 200}


def _cut_off(connection_id: str) -> None:
    """Its client comes back and asks again. A gateway that does not hear of it now will when the connection expires."""
    with suppress(OSError):
        wiring.connections().close(connection_id)


@app.lambda_function(name="relay")
@monitored
def relay(event: Json, context: Any) -> Json:  # noqa: ANN401 - Lambda's context has no type
    """`shard` and `after` come from whoever wakes a relay; the schedule names none: whichever is vacant."""
    wanted = [int(event["shard"])] if "shard" in event else wiring.relay_shards()
    after = event.get("after")
    try:
        vacant = find_vacancies(lambda: wiring.leases().vacant(wanted, after), clock.sleep)
    except UnavailableError as error:
        log.error("No shard can be taken: %s", error)
        metrics.count(Metric.UNAVAILABLE)
        return {}
    finally:
        wiring.database().close()  # a relay has connections of its own
    if not vacant or vacant[0] not in wiring.relay_shards():
        log.info("Every shard has its relay: nothing to do.")
        return {}
    for other in vacant[1:]:
        wiring.wake_relay(other)
    left_seconds = context.get_remaining_time_in_millis() / 1000 - LEAVE_SECONDS
    told = asyncio.run(_relay(vacant[0], min(settings().relay_seconds, left_seconds), after))
    log.info("shard %(shard)d: relayed %(events)d events in %(posts)d posts", told)
    return told


async def _relay(shard: int, seconds: float, after: int | None) -> dict[str, int]:
    async with wiring.relay(shard) as running:
        await running.run(seconds, after)
        return {"shard": shard, "events": running.events, "posts": running.sender.posts}


def _connection_id(event: Json) -> str:
    return event["requestContext"]["connectionId"]
