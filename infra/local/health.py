"""Health checks of the parts of a local run."""

from collections.abc import Callable

import httpx
import psycopg
import redis

from infra.home import State

TIMEOUT_SECONDS = 5


def check(state: State) -> dict[str, str]:
    """By part: "ok", or the error."""
    checks: dict[str, Callable[[], None]] = {
        "api": lambda: _get(f"{state['api']}/api/health"),
        "dashboard": lambda: _get(state["dashboard"].partition("#")[0]),
        "database": lambda: _select(state["database"]),
        "redis": lambda: _ping(state["redis"]),
    }
    left_out = {name for name in checks if state.get("ready") and not state.get(name)}
    return {
        name: _outcome(check) if state.get("ready") else "not running"
        for name, check in checks.items()
        if name not in left_out
    }


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except (httpx.HTTPError, psycopg.Error, redis.RedisError) as error:
        return str(error).strip() or type(error).__name__
    return "ok"


def _get(url: str) -> None:
    httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False).raise_for_status()


def _select(url: str) -> None:
    with psycopg.connect(url, connect_timeout=TIMEOUT_SECONDS) as connection:
        connection.execute("select 1")


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS) as client:
        client.ping()
