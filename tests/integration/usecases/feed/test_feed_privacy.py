"""What a token for one queue receives over the feed, compared with what REST shows to the same token."""

import asyncio
import json
import random
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from infra.client.state import FeedState
from shared.adapters import clock
from shared.adapters.postgres.reading.changes import PostgresChanges
from shared.adapters.postgres.reading.reads import PostgresReads
from shared.contracts.feed import Subscribe
from shared.contracts.problems import ProblemError
from shared.contracts.views import Changes
from shared.usecases.access import Principal
from shared.usecases.feed.subscribe import subscribe
from shared.usecases.reading.cursors import Cursors
from shared.usecases.reading.poll_changes import list_changes
from shared.usecases.reading.reads import list_agents, list_calls, list_events
from tests.support.calls import answered, initiated, routed
from tests.support.stage import Stage, staged

Json = dict[str, Any]
CURSORS = Cursors(["a key for tests, long enough for HS256"])
QUEUES = ["spanish", "english", "french"]
AGENTS = {"ana": ["spanish", "english"], "sol": ["spanish"], "ben": ["english", "french"], "eva": QUEUES}
SPANISH = Principal("supervisor", frozenset({"spanish"}), 2**40)
CALLS = [f"c{number}" for number in range(6)]
TOPICS = ["queue:spanish", "alerts:spanish", "agent:ana", "agent:eva"]
LIVE = "waiting,active,on_hold"


def as_text(view: Json) -> str:
    return json.dumps(view, sort_keys=True)


class Rest:
    """All that REST has shown to the token, read again after each transaction."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.start = stage, stage.registry.position()
        self.shown: dict[str, set[str]] = {"calls": set(), "events": set(), "agents": set()}
        self.call_ids: set[str] = set()
        self.event_ids: set[str] = set()

    @property
    def reads(self) -> PostgresReads:
        return PostgresReads(self._stage.database)

    def calls(self, **filters: str) -> tuple[list[Json], int]:
        page = list_calls(self.reads, CURSORS, SPANISH, {"limit": "500", **filters})
        return [json.loads(row) for row in page.encoded], page.position

    def agents(self) -> list[Json]:
        return [agent.model_dump(mode="json") for agent in list_agents(self.reads, SPANISH)]

    def poll(self, since: int) -> Changes:
        return list_changes(PostgresChanges(self._stage.database), SPANISH, {"since": str(since)})

    def look(self) -> None:
        calls, _ = self.calls()
        self.shown["calls"] |= set(map(as_text, calls))
        self.shown["agents"] |= set(map(as_text, self.agents()))
        self.call_ids |= {call["id"] for call in calls} | {gone.id for gone in self.poll(self.start).left}
        for call in calls:
            events = list_events(self.reads, CURSORS, SPANISH, call["id"], {"limit": "500"}).data
            self.shown["events"] |= {as_text(event.model_dump(mode="json")) for event in events}
            self.event_ids |= {event.id for event in events}

    def check(self, frame: Json) -> None:
        """Whether REST has shown everything that the frame contains.

        The relay may read the outbox just before a transaction that makes an event impossible, which REST then no
        longer lists; or after an agent's call has come to the token's queue.
        """
        for view in frame.get("calls", ()):
            assert as_text(view) in self.shown["calls"], view
        for view in frame.get("events", ()):
            assert as_text(view) in self.shown["events"] or self.has_shown_the_call_of_a_dead_event(view), view
        for view in frame.get("agents", ()):
            assert as_text(view) in self.shown["agents"] or self.has_shown_but_for_call(view), view
        assert {alert["id"] for alert in frame.get("alerts", ())} <= self.event_ids
        for gone in frame.get("left", ()):
            assert set(gone) == {"id", "version"} and gone["id"] in self.call_ids

    def has_shown_but_for_call(self, agent: Json) -> bool:
        """Whether REST has shown the agent in this version, and the call, if any, at some time."""
        shown = {as_text(json.loads(text) | {"callId": None}) for text in self.shown["agents"]}
        return as_text(agent | {"callId": None}) in shown and agent["callId"] in {None, *self.shown_call_ids()}

    def has_shown_the_call_of_a_dead_event(self, event: Json) -> bool:
        dead = "select 1 from events where id = %s and state = 'dead'"
        is_dead = self._stage.database.connection().execute(dead, [event["id"]]).fetchone() is not None
        return is_dead and event["callId"] in self.shown_call_ids()

    def shown_call_ids(self) -> set[str]:
        return {json.loads(text)["id"] for text in self.shown["calls"]}


class Walk:
    """Transactions at random: several events of several calls, late ones among them, in one request."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage, self._chance = stage, chance
        self._number = 0

    def _event(self) -> Json:
        chance, call_id = self._chance, self._chance.choice(CALLS)
        self._number += 1
        agent_id, queue_id = chance.choice(list(AGENTS)), chance.choice(QUEUES)
        moved = {"event": "call_transferred", "callId": call_id, "queueId": queue_id}
        ended = {"event": "call_ended", "callId": call_id, "endReason": "completed", "duration": chance.choice([3, 90])}
        event = chance.choice(
            [initiated(call_id, queue_id), routed(call_id, agent_id), routed(call_id, agent_id)]
            + [answered(call_id, chance.choice([3, 40]))] * 3
            + [moved, moved, moved | {"agentId": agent_id}, moved]
            + [{"event": "call_hold", "callId": call_id, "holdDuration": 2}]
            + [ended] * (chance.random() < 0.3)
        )
        late_seconds = chance.choice([0, 0, 0, 5, 30])
        happened = clock.now() - timedelta(seconds=400 - self._number + late_seconds)
        dated = {"occurredAt": happened.isoformat()} if chance.random() < 0.7 else {}
        return {"eventId": f"e{self._number}", "metadata": {"note": f"n{self._number}"}, **event, **dated}

    async def step(self) -> None:
        events = [self._event() for _ in range(self._chance.choice([1, 1, 2, 4]))]
        results = await asyncio.to_thread(self._stage.ingest.submit, events)
        assert {result.status for result in results} <= {201, 202, 409}, results


async def walk(stage: Stage, chance: random.Random, steps: int) -> int:
    """The number of departures that were received."""
    connection = stage.database.connection()
    connection.execute("insert into queues (id, name) values ('french', 'French')")
    for agent_id, queues in AGENTS.items():
        connection.execute(
            "insert into agents (id, name, queues, status, status_since)"
            " values (%s, %s, %s, 'available', now() - interval '1h')",
            [agent_id, agent_id, queues],
        )
    rest, random_walk = Rest(stage), Walk(stage, chance)
    await asyncio.to_thread(stage.ingest.submit, [initiated(call, "spanish") for call in CALLS[:3]])
    rest.look()
    topics = [*TOPICS, *(f"call:{call}" for call in CALLS[:3])]
    for name in ("prompt", "slow"):
        stage.listen(name, *topics, queues=["spanish"])
    state = FeedState(topics)
    apply_snapshot(rest, state)
    refusals = random.Random(chance.random())
    stage.gateway.refuse = lambda name: 429 if name == "slow" and refusals.random() < 0.6 else None
    for _ in range(steps // 10):
        for _ in range(chance.randrange(6)):  # no relay runs: the outbox holds them, as the calls stand in the end
            await random_walk.step()
            rest.look()
        async with stage.relay() as running:
            for _ in range(10):
                await random_walk.step()
                rest.look()
            while owed := stage.owed():
                await running.relay_store.until_cleared(*owed)
        since = chance.randrange(rest.start, stage.registry.position() + 1)
        check_replay_and_poll(stage, rest, since)
    for name in ("prompt", "slow"):
        for frame in stage.gateway.frames[name]:
            rest.check(frame)
    for frame in stage.gateway.frames["prompt"]:
        state.apply_frame(frame, 0)
    assert_same(rest, state)
    return len(stage.gateway.left("prompt")) + len(stage.gateway.left("slow"))


def apply_snapshot(rest: Rest, state: FeedState) -> None:
    state.apply_frame({"type": "subscribed", "position": rest.start, "replayed": False}, 0)
    calls, at = rest.calls(status=LIVE)
    state.apply_snapshot(state.begin_snapshot(), [{"data": calls, "position": at}], rest.agents())


def check_replay_and_poll(stage: Stage, rest: Rest, since: int) -> None:
    stage.listen("again", queues=["spanish"])
    listener = stage.registry.find("again")
    assert listener
    asked = Subscribe(action="subscribe", topics=TOPICS, since=since)
    for frame in answers(lambda: subscribe(stage.registry, listener, asked)):
        rest.check(frame)
    rest.check(rest.poll(since).model_dump(mode="json"))


def answers(ask: Callable[[], Iterable[bytes]]) -> list[Json]:
    try:
        return [json.loads(frame) for frame in ask()]
    except ProblemError:
        return []


def assert_same(rest: Rest, state: FeedState) -> None:
    """The replica that the frames made is what REST shows, except for the `callId` of agents whose call changed its
    queue while they did not change: a frame does not repeat them.
    """
    calls, _ = rest.calls(status=LIVE)
    if not state.has_gap:
        assert state.replica.calls == {call["id"]: call for call in calls}
        agents = {agent["id"]: agent["version"] for agent in state.replica.agents.values()}
        assert agents == {agent["id"]: agent["version"] for agent in rest.agents()}


def run(database_url: str, redis_url: str, seed: int, steps: int) -> int:
    async def on_stage() -> int:
        async with staged(database_url, redis_url) as stage:
            return await walk(stage, random.Random(seed), steps)

    return asyncio.run(on_stage())


def test_the_feed_shows_a_token_nothing_that_rest_hides(database_url, redis_server):
    assert run(database_url, redis_server.url, seed=1, steps=30) > 0


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 8))
def test_a_long_walk_shows_a_token_nothing_that_rest_hides(database_url, redis_server, seed):
    assert run(database_url, redis_server.url, seed, steps=100) > 0
