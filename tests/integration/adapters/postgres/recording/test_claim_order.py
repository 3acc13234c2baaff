"""The claim finds the agent that the rule ranks first, by its indexes."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.domain.call import Call
from shared.domain.events import Limits
from shared.domain.routing import Candidate, Search, Strategy, rank
from tests.support.clock import Clock
from tests.support.examples import examples
from tests.support.harness import Harness

NOW = Clock().now()
# Whole seconds, and few of each, so that there are ties of every kind.
seconds_ago = st.one_of(st.integers(0, 4), st.integers(0, 60_000)).map(lambda seconds: NOW - timedelta(seconds=seconds))


@st.composite
def agents(draw: st.DrawFn, number: int) -> dict[str, Any]:
    queues = draw(st.sets(st.sampled_from(["own", "other"])))
    return {
        "id": f"agent-{number:02}",
        "queues": [*queues, *(["own"] if "own" in queues and draw(st.booleans()) else [])],  # named twice is once
        "languages": sorted(draw(st.sets(st.sampled_from(["es", "en"]), min_size=1))),
        "level": draw(st.integers(1, 3)),
        "status": draw(st.sampled_from(["available", "available", "available", "away"])),
        "since": draw(seconds_ago),
        "signed_in": draw(seconds_ago),
        "occupied": draw(st.integers(0, 5)) * 300,
    }


harnesses = st.integers(0, 25).flatmap(lambda many: st.tuples(*(agents(number) for number in range(many))))


@pytest.mark.parametrize("strategy", Strategy)
@examples(quick=15, deep=80)  # each asks the database
@given(
    floor_of=harnesses,
    language=st.sampled_from([None, "es"]),
    but_for=st.sets(st.integers(0, 25).map("agent-{:02}".format)),
)
def test_agents_are_claimed_in_the_order_of_their_rank(
    harness: Harness, strategy: Strategy, floor_of: tuple[dict[str, Any], ...], language: str | None, but_for: set[str]
) -> None:
    harness.rows("delete from agents")
    for agent in floor_of:
        harness.rows(
            "insert into agents (id, name, queues, languages, skills, status, status_since, signed_in_since,"
            " occupied_seconds) values (%s, 'a', %s, %s, jsonb_build_object('own', %s::int), 'away', %s, %s, %s)",
            *(agent[name] for name in ("id", "queues", "languages", "level", "since", "signed_in", "occupied")),
        )
        harness.rows("update agents set status = %s where id = %s", agent["status"], agent["id"])
    free = [a for a in floor_of if a["status"] == "available" and "own" in a["queues"] and a["id"] not in but_for]
    candidates = [
        Candidate(a["id"], a["level"], a["signed_in"], a["occupied"], a["since"])
        for a in free
        if language is None or language in a["languages"]
    ]
    expected = [c.agent_id for c in sorted(candidates, key=lambda candidate: rank(strategy, candidate, NOW))]
    assert claims(harness, strategy, language, but_for) == [*expected, None]


def claims(harness: Harness, strategy: Strategy, language: str | None, but_for: set[str]) -> list[str | None]:
    """One after the other in one transaction, until no agent is left."""
    taken: list[str | None] = []
    with PostgresTransactions(harness.database).begin() as unit_of_work:
        while not taken or taken[-1]:
            call = Call(f"call-{len(taken)}", "voice", "own", language, Limits(), NOW, NOW)
            taken.append(unit_of_work.claim_agent(call, Search("own", tuple(but_for)), strategy, NOW))
    return taken


def test_a_claim_skips_agents_locked_by_another_claim(harness: Harness, other_connection: Any) -> None:
    """More than the eight whom the least occupied are chosen from, all locked: the next one free is asked."""
    harness.rows("delete from agents")
    harness.rows(
        "insert into agents (id, name, queues, status, status_since) select 'agent-' || n, 'a', '{own}', 'available',"
        " timestamptz '2026-01-31T11:00Z' + make_interval(secs => n) from generate_series(10, 21) n"
    )
    other_connection.execute("select * from agents where id < 'agent-20' for update")
    for strategy in Strategy:
        assert claims(harness, strategy, None, set()) == ["agent-20", "agent-21", None]
        harness.rows(
            "update agents set status = 'available', call_id = null, status_since ="
            " timestamptz '2026-01-31T11:01Z' + right(id, 1)::int * interval '1 s' where id >= 'agent-20'"
        )


def test_the_index_of_free_agents_matches_their_status(harness: Harness) -> None:
    """Whatever becomes of an agent, by whichever statement."""
    for change in (
        "update agents set queues = '{own,other}', skills = '{\"own\": 7}' where id < 'interpreter-10'",
        "update agents set status = 'away' where id < 'interpreter-05'",
        "update agents set status = 'available', status_since = '2026-01-31T12:00Z' where id = 'interpreter-02'",
        "update agents set status = 'offered', status_since = '2026-01-31T13:00Z', call_id = 'c'"
        " where id = 'interpreter-02'",
        "update agents set status = 'available' where id = 'interpreter-02'",
        "update agents set status = 'available', status_since = '2026-01-31T14:00Z' where id = 'interpreter-02'",
        "update agents set languages = '{fr}', queues = '{}' where id = 'interpreter-06'",
        "update agents set id = 'renamed' where id = 'interpreter-07'",
        "delete from agents where id = 'interpreter-08'",
    ):
        harness.rows(change)
        assert harness.rows("select * from free_agents order by queue_id, agent_id") == harness.rows(
            "select queue_id, id as agent_id, languages, coalesce((skills->>queue_id)::int, 1) as level,"
            " date_bin('10 minutes', coalesce(signed_in_since, status_since), 'epoch') as shift_step, occupied_seconds,"
            " coalesce(idle_since, status_since) as since from agents, unnest(queues) queue_id"
            " where status = 'available' order by queue_id, agent_id"
        ), change
