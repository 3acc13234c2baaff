"""Polling: a client who asks what changed since its position ends with what the snapshot says."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.contracts.problems import ProblemError
from shared.contracts.setup import AgentSetup
from shared.contracts.views import CallView, Changes
from shared.usecases.access import Principal
from shared.usecases.reading import poll_changes
from shared.usecases.reading.cursors import Cursors
from shared.usecases.reading.poll_changes import list_changes, tag_of
from shared.usecases.reading.reads import Page, get_agent, list_agents, list_calls
from tests.support.examples import examples
from tests.support.harness import Harness
from tests.support.principals import ALL_QUEUES
from tests.support.stage import open_transaction

QUEUES = ("medical_spanish", "legal_spanish", "legal_english")
SPANISH = Principal("supervisor", frozenset({"medical_spanish", "legal_spanish"}), 0)
LIVE = {"status": "waiting,active,on_hold"}
_numbers = count()


class Poller:
    """Polls as a client does: by version, and from a snapshot after a reset."""

    def __init__(self, harness: Harness, principal: Principal) -> None:
        self.harness, self.principal = harness, principal
        self.log = PostgresChanges(harness.database)
        self.calls: dict[str, Any] = {}
        self.agents: dict[str, Any] = {}
        self.known: dict[str, int] = {}
        self.resets = 0
        self.position = self.snapshot()

    def _views(self, page: Page) -> dict[str, CallView]:
        views = [self.harness.reads.call(row["id"]) for row in page.rows]
        return {view.id: view for view in views if view}

    def snapshot(self) -> int:
        page = list_calls(self.harness.reads, Cursors(["a key"]), self.principal, {**LIVE, "limit": "500"})
        self.calls = self._views(page)
        self.known |= {call.id: call.version for call in self.calls.values()}
        self.agents = self._agents()
        return page.position

    def ask(self) -> Changes:
        return list_changes(self.log, self.principal, {"since": str(self.position)})

    def poll(self) -> Changes:
        changes = self.ask()
        if changes.reset:
            self.resets += 1
            self.snapshot()
        for call in changes.calls:
            if self.known.get(call.id, 0) < call.version:
                self.known[call.id] = call.version
                self.calls.pop(call.id, None)
                if call.status != "ended":
                    self.calls[call.id] = call
        for left in changes.left:
            if self.known.get(left.id, 0) < left.version:
                self.known[left.id] = left.version
                self.calls.pop(left.id, None)
        self.agents |= {agent.id: agent for agent in changes.agents}
        self.position = changes.position
        return changes

    def agrees(self) -> None:
        page = list_calls(self.harness.reads, Cursors(["a key"]), self.principal, {**LIVE, "limit": "500"})
        assert self.calls == self._views(page)
        assert self.agents == self._agents()

    def _agents(self) -> dict[str, Any]:
        return {agent.id: agent for agent in list_agents(self.harness.reads, self.principal)}


Step = st.one_of(
    st.tuples(st.sampled_from(["begin", "route", "answer", "hold", "end", "miss"]), st.integers(0, 3)),
    st.tuples(st.just("transfer"), st.integers(0, 3)),
    st.tuples(st.just("poll"), st.integers(0, 1)),
)


@examples(quick=15, deep=100)
@given(
    steps=st.lists(Step, min_size=5, max_size=40), queues=st.lists(st.sampled_from(QUEUES), min_size=40, max_size=40)
)
def test_polling_ends_with_the_snapshot(harness: Harness, steps, queues) -> None:
    story = next(_numbers)  # one database for all examples: each has calls of its own
    pollers = [Poller(harness, ALL_QUEUES), Poller(harness, SPANISH)]
    for (step, number), queue in zip(steps, queues, strict=False):
        if step == "poll":
            pollers[number].poll()
            pollers[number].agrees()
        else:
            _happen(harness, step, f"c{story}-{number}", queue)
    for poller in pollers:
        poller.poll()
        poller.agrees()
        assert poller.resets == 0


def _happen(harness: Harness, step: str, call_id: str, queue: str) -> None:
    """Whether it is possible is the rules' affair."""
    agent = f"interpreter-1{call_id[-1]}"
    fields: dict[str, dict[str, Any]] = {
        "begin": {"event": "call_initiated", "type": "voice", "queueId": queue},
        "route": {"event": "call_routed", "agentId": agent, "routingTime": 1},
        "miss": {"event": "call_no_answer", "agentId": agent},
        "answer": {"event": "call_answered", "waitTime": 3},
        "hold": {"event": "call_hold", "holdDuration": 0},
        "transfer": {"event": "call_transferred", "queueId": queue},
        "end": {"event": "call_ended", "endReason": "completed", "duration": 5},
    }
    harness.send({"callId": call_id, **fields[step]})


def test_late_commits_are_among_the_changes(harness: Harness, database_url: str) -> None:
    harness.one("call_initiated", "call-0", type="voice", queueId=QUEUES[0])
    poller = Poller(harness, ALL_QUEUES)
    with open_transaction(database_url) as late:
        harness.one("call_initiated", type="voice", queueId=QUEUES[0])
        late.execute("update agents set status_since = status_since + interval '1 s' where id = 'interpreter-15'")
        first = poller.poll()
        assert "call-1" in [call.id for call in first.calls] and not first.agents
        late.commit()
    assert [agent.id for agent in poller.poll().agents] == ["interpreter-15"]
    poller.agrees()


def test_a_complete_log_answers_from_before_its_first_event(harness: Harness, database_url: str) -> None:
    with open_transaction(database_url) as first:  # no position goes past who is slow
        poller = Poller(harness, ALL_QUEUES)
        with open_transaction(database_url):
            harness.one("call_initiated", type="voice", queueId=QUEUES[0])
            first.commit()
            assert len(poller.poll().calls) == 1
    poller.poll()
    assert poller.resets == 0


def test_a_call_that_leaves_the_token_s_queues_is_removed(harness: Harness) -> None:
    poller = Poller(harness, SPANISH)
    harness.one("call_initiated", type="voice", queueId="legal_spanish")
    harness.one("call_routed", agentId="interpreter-15", routingTime=1)
    harness.one("call_answered", waitTime=1)
    poller.poll()
    harness.one("call_transferred", queueId="legal_english")
    changes = poller.poll()
    assert ([call.id for call in changes.calls], [left.id for left in changes.left]) == ([], ["call-1"])
    assert poller.calls == {}
    harness.one("call_routed", agentId="interpreter-20", routingTime=1)
    assert not poller.poll().calls


def test_a_call_that_began_in_another_queue_is_removed(harness: Harness) -> None:
    poller = Poller(harness, SPANISH)
    beginning = {"event": "call_initiated", "callId": "call-1", "type": "voice"}
    for queue, second in (("medical_spanish", 2), ("legal_english", 1)):
        at = harness.clock.at(second).isoformat()
        assert harness.send(beginning | {"queueId": queue, "occurredAt": at, "eventId": queue})[0].status == 201
        changes = poller.poll()
    assert [gone.id for gone in changes.left] == ["call-1"]


def test_a_call_that_may_yet_be_transferred_has_not_left(harness: Harness) -> None:
    """Its transfer waits for the answer: who sees the other queue has no right to hear of it."""
    poller = Poller(harness, SPANISH)
    begin = {"event": "call_initiated", "type": "voice", "queueId": "legal_english"}
    for event in (begin, {"event": "call_transferred", "queueId": "medical_spanish"}):
        harness.send(event | {"callId": "call-1", "occurredAt": harness.clock.at(1).isoformat()})
    assert (poller.ask().calls, poller.ask().left) == ([], [])


def test_too_much_and_foreign_positions_are_answered_by_reset(harness: Harness, monkeypatch) -> None:
    monkeypatch.setattr(poll_changes, "MAX_CALLS", 3)
    poller = Poller(harness, ALL_QUEUES)
    for number in range(4):
        harness.one("call_initiated", f"call-{number}", type="voice", queueId=QUEUES[0])
    changes = poller.poll()
    assert changes.reset and changes.calls == []
    poller.agrees()
    poller.position = 10**15
    assert poller.ask().reset
    poller.position = 5
    monkeypatch.undo()
    assert not poller.ask().reset
    harness.rows("update call_retention set kept_since = '2000-01-01+00'")  # as a month that was dropped
    assert poller.ask().reset


def test_an_agent_s_call_is_shown_to_permitted_readers(harness: Harness) -> None:
    harness.rows("update agents set queues = '{medical_spanish,legal_english}' where id = 'interpreter-15'")
    pollers = [Poller(harness, ALL_QUEUES), Poller(harness, SPANISH)]

    def on_call() -> list[str | None]:
        for poller in pollers:
            poller.poll()
            poller.agrees()
        bearers = [poller.principal for poller in pollers]
        found = [get_agent(harness.reads, principal, "interpreter-15").call_id for principal in bearers]
        assert found == [poller.agents["interpreter-15"].call_id for poller in pollers]
        return found

    at = harness.clock.at
    beginning = {"event": "call_initiated", "callId": "call-1", "type": "voice"}
    harness.send(beginning | {"queueId": "legal_english", "occurredAt": at(2).isoformat(), "eventId": "english"})
    harness.one("call_routed", agentId="interpreter-15", routingTime=1)
    assert on_call() == ["call-1", None]
    # It turns out to have begun in a queue that may be seen: nothing of the agent has changed.
    harness.send(beginning | {"queueId": "legal_spanish", "occurredAt": at(1).isoformat(), "eventId": "spanish"})
    assert on_call() == ["call-1", "call-1"]


def test_an_agent_removed_from_a_queue_resets_pollers(harness: Harness) -> None:
    pollers = [Poller(harness, ALL_QUEUES), Poller(harness, SPANISH)]
    spanish, english = "legal_spanish", "legal_english"
    for queues, resets in (([spanish], 0), ([spanish, english], 0), ([english], 1), ([], 2)):
        setup = AgentSetup(name="Ana", languages=["es"], queues=queues)
        harness.set_up_agent("ana", setup)
        for poller in pollers:
            poller.poll()
            poller.agrees()
            assert poller.resets == resets


def test_a_queue_may_be_asked_for_and_nothing_else(harness: Harness) -> None:
    poller = Poller(harness, SPANISH)
    poller.poll()
    since = str(poller.position)
    harness.one("call_initiated", "s", type="voice", queueId="medical_spanish")
    harness.one("call_initiated", "e", type="voice", queueId="legal_english")

    def asked(**query: str) -> list[str]:
        return [call.id for call in list_changes(poller.log, SPANISH, {"since": since, **query}).calls]

    assert asked() == asked(queueId="medical_spanish,legal_english") == ["s"]
    assert asked(queueId="legal_english") == asked(queueId="legal_spanish") == []
    for query in ({"since": "-1"}, {"since": "x"}, {"since": "9" * 19}, {"since": "1", "status": "active"}):
        with pytest.raises(ProblemError) as refused:
            list_changes(poller.log, SPANISH, query)
        assert refused.value.problem.errors[0].field in ("since", "status")


def test_the_tag_changes_with_the_content(harness: Harness) -> None:
    poller = Poller(harness, ALL_QUEUES)
    poller.poll()
    quiet = tag_of(poller.ask())
    assert tag_of(poller.ask()) == quiet
    harness.one("call_initiated", type="voice", queueId=QUEUES[0])
    changes = tag_of(poller.ask())
    harness.one("call_routed", agentId="interpreter-15", routingTime=1)
    assert len({quiet, changes, tag_of(poller.ask())}) == 3
