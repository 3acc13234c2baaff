"""Health checks, for load balancers and for the person on call."""

from typing import Any

import pytest

from infra.local.redis import Redis
from shared import wiring
from tests.support.calls import INITIATED
from tests.support.rest import RELAY_ALIVE, SWEEP_ALIVE, Api


def deep(api: Api) -> tuple[int, str, dict[str, Any]]:
    status, body, _ = api.call("GET", "/api/health/deep")
    overall = "down" if status == 503 else body["status"]
    return status, overall, body["parts"]


def test_without_a_sweep_or_a_relay_it_is_down(api: Api) -> None:
    status, overall, parts = deep(api)
    assert (status, overall) == (503, "down")
    assert [parts[name]["status"] for name in ("postgres", "redis", "sweep", "relay")] == ["ok", "ok", "down", "down"]


def test_with_all_parts_it_is_ok_and_counts_the_outbox(api: Api) -> None:
    for alive in (SWEEP_ALIVE, RELAY_ALIVE):
        wiring.database().connection().execute(alive)
    assert deep(api)[:2] == (200, "ok")
    assert api.post(INITIATED)[0] == 201
    status, overall, parts = deep(api)
    assert (status, overall) == (200, "ok")
    assert parts["outbox"]["owed"] == 1
    assert parts["postgres"]["milliseconds"] > 0
    wiring.database().connection().execute("update events set received_at = now() - interval '1 minute'")
    status, overall, parts = deep(api)
    assert (status, overall, parts["outbox"]["status"]) == (200, "degraded", "slow")


def test_a_shard_without_a_relay_is_listed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four shards the first has a relay, the second had one, and the others never had any."""
    monkeypatch.setattr(wiring, "relay_shards", lambda: range(4))
    for row in (SWEEP_ALIVE, RELAY_ALIVE, "insert into leases values (1, 2, now() - interval '1 second')"):
        wiring.database().connection().execute(row)
    status, overall, parts = deep(api)
    assert parts["shards"] == {"status": "down", "count": 4, "withoutRelay": [1, 2, 3]}
    assert (status, overall) == (200, "degraded"), "calls are recorded, and the first shard's updates are sent"


def test_an_outage_is_reported_for_each_part(
    api: Api,
    redis_server: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for alive in (SWEEP_ALIVE, RELAY_ALIVE):
        wiring.database().connection().execute(alive)
    redis_server.stop()
    status, overall, parts = deep(api)
    assert (status, overall, parts["redis"]["status"]) == (200, "degraded", "down")
    wiring.database().close()
    monkeypatch.setattr(wiring.database(), "_url", "postgresql://unknown@127.0.0.1:1/nowhere")
    status, overall, parts = deep(api)
    assert (status, overall, parts) == (503, "down", {"postgres": {"status": "down"}, "redis": {"status": "down"}})
    assert api.call("GET", "/api/health")[0] == 200
