"""What calls say of the agents whom they let go: all at once, as a batch says it, and one by one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agent import ENGAGED, AgentStatus, Effect
from shared.usecases.recording.ports import OutboxEntry
from tests.support.examples import examples
from tests.support.figures import figures
from tests.support.harness import Harness

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
CALLS, AGENTS, WAYS = ("a", "b", "c"), ("x", "y"), ("one", "all")
FOUND = """
select left(id, 1) as who, status, status_since, reason, misses, call_id, next_status, next_reason, engaged_since,
    second_call_id, second_status, second_since
from agents where id like %s order by id
"""
_numbers = count()

seconds = st.integers(0, 6).map(lambda after: BEGIN + timedelta(seconds=after))
calls = st.sampled_from(CALLS)
statuses = st.sampled_from(list(AgentStatus))
agents = st.fixed_dictionaries({
    "status": statuses,
    "status_since": seconds,
    "reason": st.sampled_from([None, "lunch"]),
    "misses": st.integers(0, 3),
    "call_id": st.one_of(st.none(), calls),
    "next_status": st.sampled_from([None, "away", "available", "offline"]),
    "next_reason": st.sampled_from([None, "home"]),
    "engaged_since": st.one_of(st.none(), seconds),
    "second_call_id": st.one_of(st.none(), calls),
    "second_status": st.sampled_from(["offered", "on_call", "wrap_up"]),
    "reported_at": st.one_of(st.none(), seconds),
}).filter(lambda agent: agent["call_id"] or not (agent["status"] in ENGAGED or agent["second_call_id"]))  # fmt: skip
releases = st.lists(
    st.builds(
        Effect,
        agent_id=st.sampled_from(AGENTS),
        call_id=calls,
        status=st.sampled_from([AgentStatus.AVAILABLE, AgentStatus.WRAP_UP, AgentStatus.AWAY]),
        since=seconds,
        reason=st.sampled_from([None, "no_answer"]),
        engaged_since=st.one_of(st.none(), seconds),
        known=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@examples(quick=30, deep=200)
@given(agent=agents, effects=releases)
def test_a_batch_frees_agents_like_single_events(
    harness: Harness, agent: dict[str, Any], effects: list[Effect]
) -> None:
    run = next(_numbers)
    begin(harness, run)
    for way in WAYS:
        for name in AGENTS:
            introduce(harness, agent, f"{name}-{way}-{run}")
    effects = sorted(effects, key=lambda effect: effect.since)
    for effect in effects:
        release(harness, [of_run(effect, f"one-{run}")])
    release(harness, [of_run(effect, f"all-{run}") for effect in effects])
    assert found(harness, f"one-{run}") == found(harness, f"all-{run}")


@pytest.mark.parametrize("columns_by_name", range(2, 9))
@pytest.mark.parametrize("more", [{}, {"occurredAt": "2026-01-31T11:59:59Z"}])
def test_a_batch_registers_unknown_agents_like_single_events(
    harness: Harness, columns_by_name: int, more: dict[str, str]
) -> None:
    """And their time counts, at the edges of a range as well."""

    def events(way: str) -> list[dict[str, Any]]:
        life: list[dict[str, Any]] = [
            {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
            {"event": "call_routed", "agentId": f"x-{way}-9", "routingTime": 1},
            {"event": "call_routed", "agentId": f"y-{way}-9", "routingTime": 1},
            {"event": "call_no_answer", "agentId": f"y-{way}-9"},
            {"event": "call_routed", "agentId": f"z-{way}-9", "routingTime": 1},
            {"event": "call_answered", "waitTime": 1, "agentId": f"w-{way}-9"},
            {"event": "call_transferred", "agentId": f"v-{way}-9"},
            {"event": "call_ended", "endReason": "completed", "duration": 5},
        ]
        return [
            {"callId": f"c-{way}-9", "sequence": n, **event, **more} for n, event in enumerate(life[:columns_by_name])
        ]

    def on_record(way: str) -> list[tuple[object, ...]]:
        met = harness.rows("select id, status, misses, call_id from agents where id like %s order by id", f"_-{way}-9")
        return [(agent["id"][0], agent["status"], agent["misses"], agent["call_id"][0]) for agent in met]

    harness.rows("update agents set status = 'offline'")
    for event in events("one"):
        harness.send(event)
        harness.clock.sleep(0.001)
    harness.send(*events("all"))
    assert on_record("one") == on_record("all")

    harness.clock.go_to(7200)
    harness.update_agent_time()
    a_minute = {"from": "2026-01-31T12:10:00Z", "to": "2026-01-31T12:11:00Z", "groupBy": "agent"}
    counted = [row["agentId"] for row in figures(harness, rolled=True, **a_minute)]
    assert counted == [f"{who}-{way}-9" for who, *_ in on_record("one") for way in ("all", "one")]


def begin(harness: Harness, run: int) -> None:
    """Calls whose queue forgives two misses; each agent has calls of their own."""
    harness.rows("update queues set misses_before_away = 3 where id = 'medical_spanish'")
    beginning = {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"}
    names = [f"{call}-{agent}-{way}-{run}" for call in CALLS for agent in AGENTS for way in WAYS]
    harness.send(*[beginning | {"callId": name} for name in names])


def introduce(harness: Harness, agent: dict[str, Any], agent_id: str) -> None:
    also = {"second_since": BEGIN} if agent["second_call_id"] else {"second_status": None}
    own = {name: f"{agent[name]}-{agent_id}" for name in ("call_id", "second_call_id") if agent[name]}
    columns_by_name = {"id": agent_id, "name": agent_id} | agent | also | own
    columns, places = ", ".join(columns_by_name), ", ".join(["%s"] * len(columns_by_name))
    harness.rows(f"insert into agents ({columns}) values ({places})", *columns_by_name.values())  # noqa: S608 - our own names


def of_run(effect: Effect, suffix: str) -> Effect:
    agent_id = f"{effect.agent_id}-{suffix}"
    return replace(effect, agent_id=agent_id, call_id=f"{effect.call_id}-{agent_id}")


def release(harness: Harness, effects: Sequence[Effect]) -> None:
    with harness.services.transactions.begin() as unit_of_work:
        unit_of_work.apply_effects(effects)
        unit_of_work.commit(OutboxEntry(), harness.clock.now(), lambda: None)


def found(harness: Harness, suffix: str) -> list[str]:
    return [str(row).replace(suffix, "") for row in harness.rows(FOUND, f"_-{suffix}")]
