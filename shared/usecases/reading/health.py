"""How each part of the system is, with what was measured: for whoever is on call, and for `doctor`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SLOW_OUTBOX_SECONDS, SLOW_TIMERS_SECONDS = 30.0, 5.0
MANY_UNFOLLOWED = 5_000  # events: ten turns at agents' time
ESSENTIAL = ("postgres", "sweep", "relay")  # without one of them, promises or the picture are not kept


@dataclass(frozen=True, slots=True)
class Vitals:
    """What Postgres knows of all parts. Ages in seconds, 0 where nothing is owed; `unfollowed` are events that agents'
    time does not show yet, 20,000 where there are more.
    """

    milliseconds: float
    sweeps: int
    relays: int
    owed: int
    outbox_age: float
    timers_late: float
    dead_letters: int
    unfollowed: int
    connections: int


@dataclass(frozen=True, slots=True)
class Shards:
    """`count`: how many shards the deployment has. `without_relay`: those whose lease no relay holds."""

    count: int
    without_relay: Sequence[int]


def report(vitals: Vitals | None, shards: Shards | None, redis_milliseconds: float | None) -> dict[str, Any]:
    """Each part with `status` ok, slow or down. `vitals` and `shards` are None where Postgres did not answer, and Redis
    likewise.
    """
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
    failing = any(name in ESSENTIAL for name in down)
    well = all(part["status"] == "ok" for part in parts.values())
    return {"status": "ok" if well else "down" if failing else "degraded", "parts": parts}


def _parts(vitals: Vitals) -> dict[str, dict[str, Any]]:
    return {
        "postgres": {"status": "ok", "milliseconds": round(vitals.milliseconds, 1)},
        "sweep": {"status": _alive(vitals.sweeps), "alive": vitals.sweeps},
        "relay": {"status": _alive(vitals.relays), "alive": vitals.relays, "connections": vitals.connections},
        "outbox": {
            "status": _timely(vitals.outbox_age, SLOW_OUTBOX_SECONDS),
            "owed": vitals.owed,
            "ageSeconds": round(vitals.outbox_age, 1),
        },
        "timers": {
            "status": _timely(vitals.timers_late, SLOW_TIMERS_SECONDS),
            "lateSeconds": round(vitals.timers_late, 1),
        },
        "agentTime": {"status": "slow" if vitals.unfollowed > MANY_UNFOLLOWED else "ok", "behind": vitals.unfollowed},
        "deadLetters": {"status": "slow" if vitals.dead_letters else "ok", "count": vitals.dead_letters},
    }


def _alive(count: int) -> str:
    return "ok" if count else "down"


def _timely(seconds: float, limit: float) -> str:
    return "ok" if seconds <= limit else "slow"
