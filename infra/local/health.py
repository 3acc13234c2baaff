"""Whether what a run wrote down is true: each part is asked."""

from collections.abc import Callable

import httpx
import psycopg
import redis

from infra.home import State

TIMEOUT_SECONDS = 5


def check(state: State) -> dict[str, str]:
    """Each part with "ok", or with what is wrong."""
    asked: dict[str, Callable[[], None]] = {
        "api": lambda: _get(f"{state['api']}/api/health"),
        "dashboard": lambda: _get(state["dashboard"].partition("#")[0]),
        "database": lambda: _select(state["database"]),
        "redis": lambda: _ping(state["redis"]),
    }
    left_out = {name for name in asked if state.get("ready") and not state.get(name)}
    return {
        name: _outcome(ask) if state.get("ready") else "not running"
        for name, ask in asked.items()
        if name not in left_out
    }


def _outcome(ask: Callable[[], None]) -> str:
    try:
        ask()
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
