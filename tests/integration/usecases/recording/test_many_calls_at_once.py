"""The promise at its size: two hundred agents and two thousand calls at once, and the whole outcome asserted."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import pytest

from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.domain.agent import ENGAGED
from shared.domain.events import AnswerTimedOut, SlaBreached
from shared.domain.fold import fold
from shared.usecases.errors import UnavailableError
from shared.usecases.recording.ports import EventState
from tests.support.clock import Clock
from tests.support.concurrency import together, without_version
from tests.support.harness import Harness

T = TypeVar("T")
WRITERS, SWEEPS, BATCH, ROUNDS = 4, 2, 50, 500
# A queue for each strategy, all routed by Switchboard; each agent serves two of them. Every move of an agent is noted.
SETTING = (
    "delete from agents",
    """
    insert into queues (id, name, routing, strategy, wrap_up_seconds)
    values ('q0', 'q', 'switchboard', 'longest_idle', 5), ('q1', 'q', 'switchboard', 'least_occupied', 0),
        ('q2', 'q', 'switchboard', 'most_skilled', 8)
    """,
    """
    insert into agents (id, name, queues, skills, status, status_since)
    select 'agent-' || n, 'a', array['q' || n %% 3, 'q' || (n + 1) %% 3], jsonb_build_object('q2', n %% 5 + 1),
        'available', '2026-01-31'
    from generate_series(1, %s) n
    """,
    "create table moves (number bigint generated always as identity, agent_id text, status text, call_id text)",
    """
    create function note_move() returns trigger language plpgsql as $$ begin
        insert into moves (agent_id, status, call_id) values (new.id, new.status, new.call_id);
        return null;
    end $$
    """,
    "create trigger moves after update of status on agents for each row execute function note_move()",
)


class SharedClock(Clock):
    """One time for all, which the writers move on and the sweeps wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = threading.Condition()
        self.stopped = False

    def sleep(self, seconds: float) -> None:
        with self._moved:
            super().sleep(seconds)
            self._moved.notify_all()

    def stop(self) -> None:
        with self._moved:
            self.stopped = True
            self._moved.notify_all()

    def wait_beyond(self, moment: datetime) -> bool:
        """Whether there is anything to wait for any more."""
        with self._moved:
            self._moved.wait_for(lambda: self.stopped or self.moment > moment)
            return not self.stopped


class Telephony:
    """Rings, talks and hangs up for a share of the calls, by what the floor says of them, until all are over."""

    def __init__(self, database_url: str, clock: SharedClock, number: int, all_calls: int) -> None:
        self.harness, self.number, self._all_calls = Harness(database_url, clock), number, all_calls
        self.calls = share(number, all_calls)
        self.accepted: Counter[str] = Counter()
        self._chance = random.Random(number)

    def begin(self) -> None:
        """Two writers send each share, at one moment: one of them is first with each event."""
        for number in (self.number, (self.number + 1) % WRITERS):
            self._send(
                {"event": "call_initiated", "callId": call_id, "eventId": f"begin-{call_id}", "type": "voice"}
                | {"queueId": f"q{index % 3}", "priority": index % 10}
                for index, call_id in enumerate(share(number, self._all_calls))
            )

    def serve(self, everybody: threading.Barrier) -> None:
        try:
            assert any(not self._step(number) for number in range(ROUNDS)), "some calls do not end"
            everybody.wait()
        except BaseException:
            everybody.abort()
            self.harness.clock.stop()  # type: ignore[attr-defined]  # a shared one
            raise

    def _step(self, number: int) -> int:
        calls = self.harness.rows(
            "select id, status, offered_agent_id, attempts, holds from calls where ended_at is null and id = any(%s)",
            self.calls,
        )
        self._send(event for call in calls if (event := next_event(call, number)))
        missed = self.harness.rows("select id from agents where status = 'away' and call_id = any(%s)", self.calls)
        for row in missed:  # each alone: an agent's word stays on record where what follows it is to be sent again
            self._send([{"event": "agent_status_changed", "agentId": row["id"], "status": "available"}])
        self.harness.clock.sleep(3 / WRITERS)
        return len(calls) + len(missed)

    def _send(self, events: Iterable[dict[str, Any]]) -> None:
        """Some batches twice, as a sender does that got no answer."""
        named = [{"eventId": f"{self.number}-{self._chance.getrandbits(64)}"} | event for event in events]
        for begin in range(0, len(named), BATCH):
            batch = named[begin : begin + BATCH]
            for _ in range(self._chance.choice([1, 1, 1, 2])):
                results = again_where_asked(lambda events=batch: self.harness.send(*events))
                assert {result.status for result in results} <= {200, 201}, results
                self.accepted.update(
                    event["eventId"] for event, result in zip(batch, results, strict=True) if result.status == 201
                )


def again_where_asked(do: Callable[[], T]) -> T:
    """As a sender and the next sweep do: a slow machine may hold a row for longer than anybody waits for it."""
    for _ in range(10):
        with suppress(UnavailableError):
            return do()
    raise AssertionError("a row stays locked")


def share(number: int, all_calls: int) -> list[str]:
    return [f"call-{n}" for n in range(all_calls) if n % WRITERS == number]


def next_event(call: dict[str, Any], round_number: int) -> dict[str, Any] | None:
    """By the call's own character: one in ten rings on unanswered, one in ten is held, and callers lose patience."""
    character = random.Random(call["id"])
    rings_on, is_held, patience = character.random() < 0.1, character.random() < 0.1, character.randint(2, 60)
    match call["status"]:
        case "waiting" if call["offered_agent_id"]:
            answered = {"event": "call_answered", "agentId": call["offered_agent_id"], "waitTime": 1}
            event = None if rings_on and call["attempts"] == 1 else answered
        case "waiting":
            hung_up = {"event": "call_ended", "endReason": "abandoned", "duration": 0}
            event = hung_up if round_number > patience else None
        case "on_hold":
            event = {"event": "call_resumed"}
        case _ if is_held and not call["holds"]:
            event = {"event": "call_hold", "holdDuration": 0}
        case _:
            event = {"event": "call_ended", "endReason": "completed", "duration": 30}
    return event and {"callId": call["id"], **event}


def sweep(harness: Harness) -> None:
    clock: SharedClock = harness.clock  # type: ignore[assignment]  # as `Telephony` has it
    moment = clock.now()
    while clock.wait_beyond(moment):
        moment = clock.now()
        while again_where_asked(lambda now=moment: harness.fire_due_timers(now)):
            pass
        while again_where_asked(lambda now=moment: harness.offer_waiting(now)):
            pass
    harness.database.close()


@pytest.mark.deep
@pytest.mark.parametrize("agents", [40, 200])
def test_all_agents_and_far_more_calls_at_once(harness: Harness, database_url: str, agents: int) -> None:
    calls = 10 * agents
    for statement in SETTING:
        harness.rows(statement, *([agents] if "%s" in statement else []))
    harness.clock = clock = SharedClock()
    writers = [Telephony(database_url, clock, number, calls) for number in range(WRITERS)]

    together([writer.begin for writer in writers])
    assert harness.rows("select count(*) from calls where ended_at is null") == [{"count": calls}]
    assert harness.rows("select count(*) from agents where status = 'offered'") == [{"count": agents}]

    everybody = threading.Barrier(WRITERS, clock.stop)
    sweeps = [partial(sweep, Harness(database_url, clock)) for _ in range(SWEEPS)]
    together([*(partial(writer.serve, everybody) for writer in writers), *sweeps])
    clock.sleep(60)
    harness.sweep()

    for writer in writers:
        writer.harness.database.close()
    assert_nothing_is_lost(harness, sum((writer.accepted for writer in writers), Counter()))
    assert_each_call_is_its_log_and_over(harness, calls)
    assert_no_agent_had_two_calls(harness, agents)


def assert_nothing_is_lost(harness: Harness, accepted: Counter[str]) -> None:
    assert set(accepted.values()) == {1}, "each is accepted once, however often it was sent"
    recorded = harness.rows("select id from events where source = 'telephony' union all select id from agent_events")
    assert Counter(row["id"] for row in recorded) == accepted


def assert_each_call_is_its_log_and_over(harness: Harness, calls: int) -> None:
    call_ids = [call_id for number in range(WRITERS) for call_id in share(number, calls)]
    with PostgresTransactions(harness.database).begin() as unit_of_work:
        records, logs = unit_of_work.load(call_ids, (), ()).records, unit_of_work.logs(call_ids)
    for call_id, record in records.items():
        call, log = record.call, logs[call_id]
        folded = fold(row.event for row in log).call
        assert call is not None and folded is not None and call.ended_at is not None
        assert without_version(folded) == without_version(call)
        assert call.version == max(row.version or 0 for row in log)
        assert {row.state for row in log} <= {EventState.APPLIED, EventState.VOID}
        fired = Counter(row.event.fact for row in log if isinstance(row.event.fact, SlaBreached | AnswerTimedOut))
        assert [fact for fact, times in fired.items() if times > 1] == [], "no timer fires twice"
    assert harness.rows("select * from timers") == [], "what is owed to calls that are over was settled"


def assert_no_agent_had_two_calls(harness: Harness, agents: int) -> None:
    """Every move of every agent, in the order in which they were made."""
    serving: dict[str, str] = {}
    wrapped_up: Counter[str] = Counter()
    moves = harness.rows("select * from moves order by number")
    for move in moves:
        agent_id, call_id = move["agent_id"], move["call_id"]
        if move["status"] not in ENGAGED:
            serving.pop(agent_id, None)
            wrapped_up[call_id] += move["status"] == "wrap_up"
            continue
        assert serving.get(agent_id, call_id) == call_id, "no agent is on two calls"
        assert {who for who, call in serving.items() if call == call_id} <= {agent_id}, "no call has two agents"
        serving[agent_id] = call_id
    assert serving == {}
    assert harness.rows("select status, count(*) from agents group by 1") == [{"status": "available", "count": agents}]
    served = harness.rows("select id from calls where answered_at notnull and queue_id <> 'q1'")
    assert +wrapped_up == Counter(row["id"] for row in served), "each conversation is wrapped up once"
