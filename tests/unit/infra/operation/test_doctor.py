"""The doctor: its findings for each part, and parts that do not answer."""

from datetime import timedelta

import pytest

from infra.operation import doctor
from infra.operation.doctor import PARTS, Health, System
from shared.adapters.auth import tokens
from shared.usecases.reading.health import Shards, Vitals, report
from tests.support.clock import Clock

KEY = "k" * 32
NOWHERE = "http://127.0.0.1:1"


def test_every_part_has_its_words_and_a_remedy() -> None:
    ill = report(
        Vitals(
            1,
            sweeps=0,
            relays=0,
            outbox_entries=5,
            outbox_age=99,
            timers_late=99,
            dead_letters=2,
            agent_time_lag=9999,
            connections=1,
        ),
        Shards(1, [0]),
        None,
    )
    assert set(ill["parts"]) == set(PARTS)
    found = {name: doctor.part_finding(name, part) for name, part in ill["parts"].items()}
    assert found.pop("postgres").health is Health.WELL
    assert {name for name, finding in found.items() if finding.health is Health.ILL} == {
        "redis",
        "sweep",
        "relay",
        "shards",
    }
    assert all(finding.remedy for finding in found.values())
    assert found["redis"].text == "does not answer"
    assert found["outbox"].text == "5 unpublished, the oldest for 99 s"


@pytest.mark.parametrize(
    ("without_relay", "health", "text"),
    [
        pytest.param([], Health.WELL, "each of 8 has a relay", id="none"),
        pytest.param([3, 5], Health.ILL, "8 exist, without a relay: 3, 5", id="two"),
    ],
)
def test_a_shard_without_a_relay_is_named(without_relay: list[int], health: Health, text: str) -> None:
    finding = doctor.part_finding("shards", report(None, Shards(8, without_relay), 1.0)["parts"]["shards"])
    assert (finding.health, finding.text) == (health, text)
    assert ("no updates" in finding.remedy) == bool(without_relay), "what it means, and what to do next"


@pytest.mark.parametrize(
    ("seconds", "health"), [(-1, Health.ILL), (60, Health.WARN), (7200, Health.WELL)], ids=["past", "soon", "later"]
)
def test_a_token_s_expiry_is_shown_but_not_the_token(clock: Clock, seconds: float, health: Health) -> None:
    token = tokens.mint(KEY, role="admin", ttl_seconds=seconds, now=clock.now())
    found = list(doctor.examine(System(NOWHERE, token, "ws://127.0.0.1:1"), clock.now))
    assert (found[0].what, found[0].health) == ("token", health)
    assert {finding.what for finding in found if finding.health is Health.ILL} >= {"api", "parts", "socket"}
    assert all(token not in finding.text + finding.remedy for finding in found)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "agree"), (90, "90 s ahead of"), (-90, "90 s behind")], ids=["right", "fast", "slow"]
)
def test_a_wrong_clock_is_reported(clock: Clock, seconds: float, text: str) -> None:
    now = clock.now() + timedelta(seconds=seconds)
    assert text in doctor._clock("Sat, 31 Jan 2026 12:00:00 GMT", now).text


@pytest.mark.parametrize(("is_local", "health"), [(True, Health.ILL), (False, Health.UNKNOWN)], ids=["local", "far"])
def test_an_unreachable_database_is_reported_as_down(clock: Clock, is_local: bool, health: Health) -> None:
    system = System(NOWHERE, "", "ws://127.0.0.1:1", database="postgresql://127.0.0.1:1/", is_local=is_local)
    assert list(doctor.examine(system, clock.now))[-1].health is health
