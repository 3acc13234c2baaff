"""The health of each part of the system, with measurements. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SLOW_OUTBOX_SECONDS, SLOW_TIMERS_SECONDS = 30.0, 5.0
MAX_AGENT_TIME_LAG = 5_000  # events; the sweep processes 500 at a time
ESSENTIAL = ("postgres", "sweep", "relay")  # without one of them, deadlines or updates are late


@dataclass(frozen=True, slots=True)
class Vitals:
    """Measurements from Postgres.

    milliseconds: the duration of the query.
    sweeps, relays: the number of running ones.
    outbox_entries: their number.
    outbox_age: the age of the oldest outbox entry in seconds, or 0.
    timers_late: the delay of the latest due timer in seconds, or 0.
    dead_letters: their number.
    agent_time_lag: the number of events that agents' time does not include yet, at most 20,000.
    connections: the number of WebSocket connections.
    """

    milliseconds: float
    sweeps: int
    relays: int
    outbox_entries: int
    outbox_age: float
    timers_late: float
    dead_letters: int
    agent_time_lag: int
    connections: int


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of the deployment.

    count: their number.
    without_relay: the shards without a valid lease.
    """

    count: int
    without_relay: Sequence[int]


def report(vitals: Vitals | None, shards: Shards | None, redis_milliseconds: float | None) -> dict[str, Any]:
    """Each part with `status` ok, slow or down. An argument is None if Postgres or Redis did not answer."""
    parts: dict[str, dict[str, Any]] = {"postgres": {"status": "down"}, "redis": {"status": "down"}}
    if redis_milliseconds is not None:
        parts["redis"] = {"status": "ok", "milliseconds": round(redis_milliseconds, 1)}
    if vitals is not None:
        parts |= _parts(vitals)
    if shards is not None:
        parts["shards"] = {
            "status": "down" if shards.without_relay else "ok",
            "count": shards.count,
            "withoutRelay": list(shards.without_relay),
        }
    down = [name for name, part in parts.items() if part["status"] == "down"]
    is_essential_down = any(name in ESSENTIAL for name in down)
    is_ok = all(part["status"] == "ok" for part in parts.values())
    return {"status": "ok" if is_ok else "down" if is_essential_down else "degraded", "parts": parts}


def _parts(vitals: Vitals) -> dict[str, dict[str, Any]]:
    return {
        "postgres": {"status": "ok", "milliseconds": round(vitals.milliseconds, 1)},
        "sweep": {"status": _ok_or_down(vitals.sweeps), "alive": vitals.sweeps},
        "relay": {"status": _ok_or_down(vitals.relays), "alive": vitals.relays, "connections": vitals.connections},
        "outbox": {
            "status": _ok_or_slow(vitals.outbox_age, SLOW_OUTBOX_SECONDS),
            "owed": vitals.outbox_entries,
            "ageSeconds": round(vitals.outbox_age, 1),
        },
        "timers": {
            "status": _ok_or_slow(vitals.timers_late, SLOW_TIMERS_SECONDS),
            "lateSeconds": round(vitals.timers_late, 1),
        },
        "agentTime": {
            "status": "slow" if vitals.agent_time_lag > MAX_AGENT_TIME_LAG else "ok",
            "behind": vitals.agent_time_lag,
        },
        "deadLetters": {"status": "slow" if vitals.dead_letters else "ok", "count": vitals.dead_letters},
    }


def _ok_or_down(count: int) -> str:
    return "ok" if count else "down"


def _ok_or_slow(seconds: float, limit: float) -> str:
    return "ok" if seconds <= limit else "slow"
