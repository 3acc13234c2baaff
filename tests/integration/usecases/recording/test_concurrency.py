"""Many writers at the same few calls and agents, on real Postgres: the whole outcome is asserted."""

import random
from collections import Counter
from typing import Any

import pytest

from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.domain.agent import ENGAGED, assignments
from shared.domain.deadlines import required_timers
from shared.domain.fold import fold
from shared.usecases.recording.ports import EventState
from tests.support.clock import Clock
from tests.support.concurrency import together, without_version
from tests.support.examples import few_and_many
from tests.support.harness import Harness

CALLS, AGENTS, SENDERS, SWEEPS, STEPS = 12, 6, 6, 2, 60


@pytest.mark.parametrize("seed", few_and_many(0, 1))
def test_no_update_is_lost_and_no_agent_has_two_calls(harness: Harness, database_url: str, seed: int) -> None:
    harness.rows("delete from agents")
    harness.rows(
        "insert into agents (id, name, queues, languages, status, status_since)"
        " select 'agent-' || n, 'A', '{medical_spanish}', '{es}', 'available', '2026-01-01'"
        " from generate_series(1, %s) n",
        AGENTS,
    )
    moments = Moments()
    together(
        [
            lambda n=n: send_much(Harness(database_url, moments.clock(n)), random.Random(f"{seed} {n}"))
            for n in range(SENDERS)
        ]
        + [lambda n=n: sweep_much(Harness(database_url, moments.clock(-n))) for n in range(1, SWEEPS + 1)]
    )
    assert_one_truth(harness)


class Moments:
    """Each worker's clock goes its own way, so that timers fall due for one while another still writes."""

    def clock(self, worker: int) -> Clock:
        clock = Clock()
        clock.go_to(0 if worker >= 0 else 20)
        return clock


def send_much(harness: Harness, chance: random.Random) -> None:
    for _ in range(STEPS):
        batch = [random_event(chance) for _ in range(chance.choice([1, 1, 3]))]
        statuses = {result.status for result in harness.send(*batch)}
        assert statuses <= {200, 201, 202, 409}, statuses
        harness.clock.sleep(chance.uniform(0, 3))
    harness.database.close()


def random_event(chance: random.Random) -> dict[str, Any]:
    call_id = f"call-{chance.randrange(CALLS)}"
    event = chance.choices(
        ["call_initiated", "call_routed", "call_answered", "call_no_answer", "call_hold", "call_resumed", "call_ended"],
        [3, 4, 3, 1, 2, 2, 1],
    )[0]
    fields: dict[str, dict[str, Any]] = {
        "call_initiated": {"type": "voice", "queueId": "medical_spanish", "language": "es"},
        "call_routed": {"agentId": f"agent-{chance.randint(1, AGENTS)}", "routingTime": 1},
        "call_answered": {"waitTime": chance.randrange(40)},
        "call_no_answer": {"agentId": f"agent-{chance.randint(1, AGENTS)}"},
        "call_hold": {"holdDuration": chance.choice([0, 70])},
        "call_resumed": {},
        "call_ended": {"endReason": "abandoned", "duration": chance.randrange(30)},
    }
    return {"event": event, "callId": call_id, "eventId": f"event-{chance.getrandbits(64)}", **fields[event]}


def sweep_much(harness: Harness) -> None:
    for _ in range(STEPS):
        harness.fire_due_timers(limit=5)
        harness.offer_waiting(limit=3)
        harness.clock.sleep(2)
    harness.database.close()


def assert_one_truth(harness: Harness) -> None:
    harness.assert_no_orphans()
    call_ids = [row["id"] for row in harness.rows("select id from calls")]
    with PostgresTransactions(harness.database).begin() as unit_of_work:
        records, logs = unit_of_work.load(call_ids, (), ()).records, unit_of_work.logs(call_ids)
    engaged = [row for row in harness.rows("select * from agents") if row["status"] in ENGAGED]

    for call_id, record in records.items():
        living = [row for row in logs[call_id] if row.state is not EventState.DEAD]
        folded = fold(row.event for row in living).call
        stored = record.call
        assert (folded is None) == (stored is None)
        if stored is None or folded is None:
            continue
        assert without_version(folded) == without_version(stored), "the log and the state are one"
        assert record.deferred == sum(row.state is EventState.DEFERRED for row in living)
        assert record_timers(harness, call_id) == {
            (kind.value, due_at)
            for kind, due_at in required_timers(stored).items()
            if not settled(harness, call_id, kind)
        }
        system = Counter((row.event.name, row.event.at) for row in living if row.event.is_system)
        assert [twice for twice, times in system.items() if times > 1] == [], "no timer fires twice"
        claims = {agent_id for agent_id, claim in assignments(stored).items() if claim.status in ENGAGED}
        assert {row["id"] for row in engaged if row["call_id"] == call_id} <= claims, (
            "no agent is engaged without a call"
        )

    holders = Counter(row["call_id"] for row in engaged)
    assert [call_id for call_id, agents in holders.items() if agents > 1] == [], "no call has two agents"
    versions = harness.rows("select call_id, version, count(*) from events where version is not null group by 1, 2")
    for row in harness.rows("select id, version from calls"):
        assert row["version"] == max((v["version"] for v in versions if v["call_id"] == row["id"]), default=0)


def settled(harness: Harness, call_id: str, kind: Any) -> bool:
    """A wrap-up that is over leaves no trace on the call: its timer is gone and the agent is free."""
    return kind.value == "wrap_up" and not harness.rows(
        "select 1 from timers where call_id = %s and kind = 'wrap_up'", call_id
    )


def record_timers(harness: Harness, call_id: str) -> set[tuple[str, Any]]:
    rows = harness.rows("select kind, due_at from timers where call_id = %s and kind <> 'deferred'", call_id)
    return {(row["kind"], row["due_at"]) for row in rows}


def test_two_sweeps_conclude_each_timer_once(harness: Harness, database_url: str) -> None:
    harness.send(
        *(
            {"event": "call_initiated", "callId": f"c-{n}", "type": "voice", "queueId": "medical_spanish"}
            for n in range(200)
        )
    )

    def sweep() -> None:
        worker = Harness(database_url, Clock())
        worker.clock.go_to(31)
        while worker.rows("select 1 from timers where due_at <= %s", worker.clock.now()):
            worker.fire_due_timers(limit=7)
        worker.database.close()

    together([sweep, sweep, sweep])
    rows = harness.rows("select call_id, count(*) as times from events where name = 'sla_breached' group by 1")
    assert Counter(row["times"] for row in rows) == {1: 200}
