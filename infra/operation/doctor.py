"""Health findings of a running system with remedies, examined from outside as a client and a person would."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx
import jwt
import psycopg
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from infra.database import migrate
from infra.errors import InfraError

Json = dict[str, Any]
TIMEOUT_SECONDS = 10.0
CLOCK_TOLERANCE_SECONDS = 5.0  # HTTP tells the time in whole seconds, and a sender's clock may lead by this much
SOON_SECONDS = 3600.0
FORBIDDEN, UNAVAILABLE, UNAUTHORIZED, OK = 403, 503, 401, 200
ASK_ADMIN = "Give an administrator's token of every queue: `switchboard token --role admin`."


class Health(StrEnum):
    WELL = "well"
    WARN = "warn"  # works, and a person should know
    ILL = "ill"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    """The examined part."""
    health: Health
    """The result."""
    text: str
    """The result in words."""
    remedy: str = ""
    """What to do. Empty if the part is healthy."""


@dataclass(frozen=True, slots=True)
class System:
    """The addresses of a system. Parts without an address are not examined."""

    api: str
    token: str
    websocket: str | None = None
    dashboard: str | None = None
    database: str | None = None
    is_local: bool = False  # runs on this machine, so every healthy part is reachable


# By part of /api/health/deep: the text, and the remedy if it is not ok.
PARTS: dict[str, tuple[str, str]] = {
    "postgres": ("answered in {milliseconds} ms", "Start Postgres, or check DATABASE_URL and the network."),
    "redis": ("answered in {milliseconds} ms", "Start Redis. Updates are some seconds late, and none is lost."),
    "sweep": ("{alive} alive", "No sweep runs, so timers do not fire. Read the sweep's log and check its schedule."),
    "relay": ("{alive} alive, {connections} connections",
              "No relay runs, so clients get no updates. Read the relay's log and check its schedule."),
    "shards": ("each of {count} has a relay",
               "Dashboards get no updates of these shards' queues. The next event of such a queue starts a relay, and "
               "so does the schedule each minute. If it stays, read `switchboard logs --failures`, then check "
               "the relay's throttles and its alarm on dropped recursive invocations."),
    "outbox": ("{owed} unpublished, the oldest for {ageSeconds} s",
               "The relay does not keep up, or the gateway refuses it: `switchboard logs --failures`."),
    "timers": ("the oldest is {lateSeconds} s late", "The sweep does not keep up. Check Postgres' load and log."),
    "agentTime": ("{behind} events behind the log", "Agent time in figures is late. The sweep catches up."),
    "deadLetters": ("{count} dead letters", "`switchboard dead-letters list` prints the reasons."),
}  # fmt: skip
ILL_WHERE_DOWN = {"ok": Health.WELL, "slow": Health.WARN, "down": Health.ILL}


def examine(system: System, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Each finding as soon as it is known. Parts that depend on an unhealthy part are examined too."""
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        yield from _token(system.token, now())
        yield from _api(http, system.api, now)
        yield from _parts(http, system)
        config = _config(http, system.dashboard) if system.dashboard else None
        if isinstance(config, Finding):
            yield config
        elif config is not None:
            yield _config_finding(config, system)
            system = replace(system, websocket=system.websocket or config.get("websocket"))
        yield _socket(system)
        if system.database:
            yield _schema(system.database, system.is_local)


def _token(token: str, now: datetime) -> Iterator[Finding]:
    try:
        claims: Json = jwt.decode(token, options={"verify_signature": False})
        left = float(claims["exp"]) - now.timestamp()
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
        yield Finding("token", Health.ILL, "is not a Switchboard token", "Mint one: `switchboard token --role admin`.")
        return
    expiry = datetime.fromtimestamp(claims["exp"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    mint = f"Mint another: `switchboard token --role {claims.get('role', 'admin')}`."
    if left <= 0:
        yield Finding("token", Health.ILL, f"expired at {expiry}", mint)
    else:
        soon = left < SOON_SECONDS
        text = f"{claims.get('role', 'without a role')}, valid until {expiry}"
        yield Finding("token", Health.WARN if soon else Health.WELL, text, mint if soon else "")


def _api(http: httpx.Client, api: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    begun = time.perf_counter()
    try:
        answer = http.get(f"{api}/api/health")
    except httpx.HTTPError as error:
        remedy = "Check the address, and whether it runs. Locally: `switchboard status`, `switchboard up`."
        yield Finding("api", Health.ILL, f"does not answer: {_message(error)}", remedy)
        return
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != OK:
        yield Finding("api", Health.ILL, f"answers {answer.status_code}", "Read the log of the query function.")
    else:
        yield Finding("api", Health.WELL, f"answered in {took:.0f} ms")
    yield _clock(answer.headers.get("date", ""), now())


def _clock(date: str, now: datetime) -> Finding:
    try:
        offset = (now - parsedate_to_datetime(date)).total_seconds()
    except ValueError:
        return Finding("clock", Health.UNKNOWN, "the answer has no date")
    if abs(offset) <= CLOCK_TOLERANCE_SECONDS:
        return Finding("clock", Health.WELL, "this machine and the server agree")
    direction = "ahead of" if offset > 0 else "behind"
    remedy = "Set the clock (NTP). The times of events and the expiry of tokens depend on it."
    return Finding("clock", Health.WARN, f"this machine is {abs(offset):.0f} s {direction} the server", remedy)


def _parts(http: httpx.Client, system: System) -> Iterator[Finding]:
    try:
        answer = http.get(f"{system.api}/api/health/deep", headers={"Authorization": f"Bearer {system.token}"})
        document: Json = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield Finding("parts", Health.ILL, f"do not answer: {_message(error)}", "Read the log of ingest.")
        return
    if answer.status_code == UNAUTHORIZED:
        yield Finding("parts", Health.ILL, "the token is refused", "Its key was removed, or is another system's. "
                      + ASK_ADMIN)  # fmt: skip
    elif answer.status_code == FORBIDDEN:
        yield Finding("parts", Health.UNKNOWN, "this token does not permit it", ASK_ADMIN)
    elif answer.status_code not in (OK, UNAVAILABLE) or "parts" not in document:
        yield Finding(
            "parts", Health.ILL, f"answers {answer.status_code}", "Read the log of ingest: `switchboard logs`."
        )
    else:
        yield from (part_finding(name, part) for name, part in document["parts"].items())


def part_finding(name: str, part: Json) -> Finding:
    template, remedy = PARTS.get(name, ("", ""))
    health = ILL_WHERE_DOWN.get(part["status"], Health.UNKNOWN)
    if without_relay := part.get("withoutRelay"):
        template = "{count} exist, without a relay: " + ", ".join(map(str, without_relay))
    try:
        text = template.format_map(part)
    except KeyError:  # a part that is down has no values
        text = "does not answer"
    return Finding(name, health, text, "" if health is Health.WELL else remedy)


def _config(http: httpx.Client, dashboard: str) -> Json | Finding:
    page = dashboard.partition("#")[0]
    try:
        http.get(page).raise_for_status()
        answer = http.get(urljoin(page, "config.json")).raise_for_status()
        config: Json = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding(
            "dashboard", Health.ILL, f"is not readable: {_message(error)}", "Deploy it: `switchboard deploy`."
        )
    return config


def _config_finding(config: Json, system: System) -> Finding:
    wanted = {"api": system.api, "websocket": system.websocket}
    wrong = [
        f"{name} is {config.get(name)}, not {url}" for name, url in wanted.items() if url and config.get(name) != url
    ]
    if wrong:
        return Finding("dashboard", Health.ILL, f"its config.json: {'; '.join(wrong)}", "Deploy: `switchboard deploy`.")
    return Finding("dashboard", Health.WELL, "loads, and has the right addresses")


def _socket(system: System) -> Finding:
    """A real subscription: it uses the gateway, the authorizer, the registry, and posts to the connection."""
    if not system.websocket:
        return Finding(
            "socket", Health.UNKNOWN, "not examined", "Give --websocket, or --dashboard, whose config has the address."
        )
    address = f"{system.websocket}?{urlencode({'token': system.token})}"
    begun = time.perf_counter()
    try:
        with connect(address, open_timeout=TIMEOUT_SECONDS, close_timeout=1) as socket:
            socket.send(json.dumps({"action": "subscribe", "topics": [_topic(system.token)]}))
            frame: Json = json.loads(socket.recv(timeout=TIMEOUT_SECONDS))
    except InvalidStatus as error:
        remedy = "Check the token above, and read the log of the connect function."
        return Finding("socket", Health.ILL, f"the handshake is refused with {error.response.status_code}", remedy)
    except (TimeoutError, OSError, WebSocketException, ValueError) as error:
        remedy = "Read the logs of the connect and message functions, and check CONNECTIONS_URL."
        return Finding("socket", Health.ILL, f"is not subscribed: {_message(error)}", remedy)
    took = (time.perf_counter() - begun) * 1000
    if frame.get("type") != "subscribed":
        title = (frame.get("problem") or {}).get("title") or frame.get("message") or frame.get("type")
        return Finding("socket", Health.ILL, f"answers a subscription with: {title}", ASK_ADMIN)
    return Finding("socket", Health.WELL, f"subscribed in {took:.0f} ms")


def _topic(token: str) -> str:
    """A topic that the token permits."""
    try:
        queues: list[str] = jwt.decode(token, options={"verify_signature": False})["queues"]
    except (jwt.InvalidTokenError, KeyError):
        return "ops"
    return "ops" if "*" in queues or not queues else f"queue:{queues[0]}"


def _schema(database_url: str, is_local: bool) -> Finding:
    try:
        missing = migrate.missing(database_url)
    except InfraError as error:
        return Finding("schema", Health.ILL, str(error), "Deploy the version that has this migration.")
    except psycopg.Error as error:
        if not is_local:
            return Finding("schema", Health.UNKNOWN, f"the database is not reachable from here: {_message(error)}")
        # Running functions have open connections, so their reports on Postgres prove nothing about new connections.
        remedy = "Functions that start now get no connection. Check Postgres' main process and log."
        return Finding("database", Health.ILL, f"refuses new connections: {_message(error)}", remedy)
    if missing:
        return Finding(
            "schema",
            Health.ILL,
            f"lacks {', '.join(missing)}",
            "Run `switchboard migrate`. Running code works with the new schema.",
        )
    return Finding("schema", Health.WELL, "is up to date")


def _message(error: Exception) -> str:
    """The first line of the error without the address, which contains a token."""
    text = str(error).partition("\n")[0].partition("?token=")[0]
    return text or type(error).__name__
