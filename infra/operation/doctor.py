"""What ails a running system, in words, and what to do: asked from outside, as a client and a person would."""

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
    health: Health
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """Where a system is. What is None is not examined."""

    api: str
    token: str
    websocket: str | None = None
    dashboard: str | None = None
    database: str | None = None
    is_local: bool = False  # runs on this machine: nothing that is well is out of reach


# What is said of a part of /api/health/deep, and what to do where it is not ok.
PARTS: dict[str, tuple[str, str]] = {
    "postgres": ("answered in {milliseconds} ms", "Bring Postgres back, or look at DATABASE_URL and who may reach it."),
    "redis": ("answered in {milliseconds} ms", "Bring Redis back; nothing is lost, but all is told some seconds late."),
    "sweep": ("{alive} alive", "No sweep works: timers are not kept. Look at the sweep's log and at its schedule."),
    "relay": ("{alive} alive, {connections} connections",
              "No relay works: nobody is told. Look at the relay's log and at its schedule."),
    "shards": ("each of {count} has a relay",
               "Dashboards get no updates of these shards' queues. The next event of such a queue starts a relay, and "
               "so does the schedule each minute. If this finding stays, read `switchboard logs --failures`, then look "
               "at the relay's throttles and its alarm on dropped recursive invocations."),
    "outbox": ("{owed} owed, the oldest for {ageSeconds} s",
               "The relay does not keep up, or the gateway refuses it: `switchboard logs --failures`."),
    "timers": ("the oldest is {lateSeconds} s late", "The sweep does not keep up: look at Postgres' load and its log."),
    "agentTime": ("{behind} events behind the log", "Agents' time in figures is late: the sweep catches up by itself."),
    "deadLetters": ("{count} given up", "`switchboard dead-letters list` has the reasons."),
}  # fmt: skip
ILL_WHERE_DOWN = {"ok": Health.WELL, "slow": Health.WARN, "down": Health.ILL}


def examine(patient: Patient, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Each finding as soon as it is made. What hangs on a part that is ill is examined all the same."""
    with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
        yield from _token(patient.token, now())
        yield from _api(http, patient.api, now)
        yield from _parts(http, patient)
        config = _config(http, patient.dashboard) if patient.dashboard else None
        if isinstance(config, Finding):
            yield config
        elif config is not None:
            yield _matches(config, patient)
            patient = replace(patient, websocket=patient.websocket or config.get("websocket"))
        yield _socket(patient)
        if patient.database:
            yield _schema(patient.database, patient.is_local)


def _token(token: str, now: datetime) -> Iterator[Finding]:
    try:
        claims: Json = jwt.decode(token, options={"verify_signature": False})
        left = float(claims["exp"]) - now.timestamp()
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
        yield Finding("token", Health.ILL, "is no token of ours", "Mint one: `switchboard token --role admin`.")
        return
    until = datetime.fromtimestamp(claims["exp"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    mint = f"Mint another: `switchboard token --role {claims.get('role', 'admin')}`."
    if left <= 0:
        yield Finding("token", Health.ILL, f"expired at {until}", mint)
    else:
        soon = left < SOON_SECONDS
        said = f"{claims.get('role', 'of no role')}, good until {until}"
        yield Finding("token", Health.WARN if soon else Health.WELL, said, mint if soon else "")


def _api(http: httpx.Client, api: str, now: Callable[[], datetime]) -> Iterator[Finding]:
    begun = time.perf_counter()
    try:
        answer = http.get(f"{api}/api/health")
    except httpx.HTTPError as error:
        remedy = "Is the address right, and is it running? Locally: `switchboard status`, `switchboard up`."
        yield Finding("api", Health.ILL, f"does not answer: {_words(error)}", remedy)
        return
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != OK:
        yield Finding("api", Health.ILL, f"answers {answer.status_code}", "Look at the log of the query function.")
    else:
        yield Finding("api", Health.WELL, f"answered in {took:.0f} ms")
    yield _clock(answer.headers.get("date", ""), now())


def _clock(date: str, now: datetime) -> Finding:
    try:
        offset = (now - parsedate_to_datetime(date)).total_seconds()
    except ValueError:
        return Finding("clock", Health.UNKNOWN, "the answer tells no time")
    if abs(offset) <= CLOCK_TOLERANCE_SECONDS:
        return Finding("clock", Health.WELL, "this machine's agrees with the server's")
    way = "ahead of" if offset > 0 else "behind"
    remedy = "Set the clock (NTP): events that name their own time are judged by it, and so are tokens."
    return Finding("clock", Health.WARN, f"this machine's is {abs(offset):.0f} s {way} the server's", remedy)


def _parts(http: httpx.Client, patient: Patient) -> Iterator[Finding]:
    try:
        answer = http.get(f"{patient.api}/api/health/deep", headers={"Authorization": f"Bearer {patient.token}"})
        document: Json = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield Finding("parts", Health.ILL, f"cannot be asked: {_words(error)}", "Look at the log of ingest.")
        return
    if answer.status_code == UNAUTHORIZED:
        yield Finding("parts", Health.ILL, "the token is refused", "Its key was dropped, or it is of another system. "
                      + ASK_ADMIN)  # fmt: skip
    elif answer.status_code == FORBIDDEN:
        yield Finding("parts", Health.UNKNOWN, "this token may not look inside", ASK_ADMIN)
    elif answer.status_code not in (OK, UNAVAILABLE) or "parts" not in document:
        yield Finding("parts", Health.ILL, f"answers {answer.status_code}", "Look at the log of ingest: `logs`.")
    else:
        yield from (part_finding(name, part) for name, part in document["parts"].items())


def part_finding(name: str, part: Json) -> Finding:
    said, remedy = PARTS.get(name, ("", ""))
    health = ILL_WHERE_DOWN.get(part["status"], Health.UNKNOWN)
    if without_relay := part.get("withoutRelay"):
        said = "{count} exist, without a relay: " + ", ".join(map(str, without_relay))
    try:
        text = said.format_map(part)
    except KeyError:  # a part that is down has no figures
        text = "does not answer"
    return Finding(name, health, text, "" if health is Health.WELL else remedy)


def _config(http: httpx.Client, dashboard: str) -> Json | Finding:
    page = dashboard.partition("#")[0]
    try:
        http.get(page).raise_for_status()
        answer = http.get(urljoin(page, "config.json")).raise_for_status()
        config: Json = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding("dashboard", Health.ILL, f"cannot be read: {_words(error)}", "Deploy it: `switchboard deploy`.")
    return config


def _matches(config: Json, patient: Patient) -> Finding:
    wanted = {"api": patient.api, "websocket": patient.websocket}
    wrong = [
        f"{name} is {config.get(name)}, not {url}" for name, url in wanted.items() if url and config.get(name) != url
    ]
    if wrong:
        return Finding("dashboard", Health.ILL, f"its config.json: {'; '.join(wrong)}", "Deploy: `switchboard deploy`.")
    return Finding("dashboard", Health.WELL, "is there, and knows where the API is")


def _socket(patient: Patient) -> Finding:
    """A real subscription: gateway, authorizer, registry, and the way back by which the relay tells."""
    if not patient.websocket:
        return Finding(
            "socket", Health.UNKNOWN, "not tried", "Say where: --websocket, or --dashboard, whose config knows."
        )
    address = f"{patient.websocket}?{urlencode({'token': patient.token})}"
    begun = time.perf_counter()
    try:
        with connect(address, open_timeout=TIMEOUT_SECONDS, close_timeout=1) as socket:
            socket.send(json.dumps({"action": "subscribe", "topics": [_topic(patient.token)]}))
            frame: Json = json.loads(socket.recv(timeout=TIMEOUT_SECONDS))
    except InvalidStatus as error:
        remedy = "See what is said of the token, and the log of the connect function."
        return Finding("socket", Health.ILL, f"the handshake is refused with {error.response.status_code}", remedy)
    except (TimeoutError, OSError, WebSocketException, ValueError) as error:
        remedy = "Look at the logs of the connect and message functions, and at CONNECTIONS_URL."
        return Finding("socket", Health.ILL, f"is not subscribed: {_words(error)}", remedy)
    took = (time.perf_counter() - begun) * 1000
    if frame.get("type") != "subscribed":
        title = (frame.get("problem") or {}).get("title") or frame.get("message") or frame.get("type")
        return Finding("socket", Health.ILL, f"answers a subscription with: {title}", ASK_ADMIN)
    return Finding("socket", Health.WELL, f"subscribed in {took:.0f} ms")


def _topic(token: str) -> str:
    """One that the token may follow."""
    try:
        queues: list[str] = jwt.decode(token, options={"verify_signature": False})["queues"]
    except (jwt.InvalidTokenError, KeyError):
        return "ops"
    return "ops" if "*" in queues or not queues else f"queue:{queues[0]}"


def _schema(database_url: str, is_local: bool) -> Finding:
    try:
        missing = migrate.missing(database_url)
    except InfraError as error:
        return Finding("schema", Health.ILL, str(error), "Deploy the version that knows it.")
    except psycopg.Error as error:
        if not is_local:
            return Finding("schema", Health.UNKNOWN, f"the database cannot be reached from here: {_words(error)}")
        # Functions at work have their connections and notice nothing, so what they say of Postgres proves nothing here.
        remedy = "Functions that start now get no connection: look at Postgres' main process and its log."
        return Finding("database", Health.ILL, f"lets nobody new in: {_words(error)}", remedy)
    if missing:
        return Finding(
            "schema", Health.ILL, f"lacks {', '.join(missing)}", "`switchboard migrate`: old code lives with it."
        )
    return Finding("schema", Health.WELL, "is the newest")


def _words(error: Exception) -> str:
    """Without the address asked, which holds a token."""
    text = str(error).partition("\n")[0].partition("?token=")[0]
    return text or type(error).__name__
