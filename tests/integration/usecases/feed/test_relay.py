"""The relay between a real Redis, a real Postgres and a gateway that takes posts: what each socket gets."""

import asyncio
import json
from datetime import timedelta

import pytest

from shared.adapters import clock
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.adapters.redis.publisher import RedisPublisher
from shared.contracts.setup import AgentSetup
from tests.support.calls import answered, initiated, routed
from tests.support.stage import Stage

pytestmark = pytest.mark.anyio


async def test_each_socket_gets_its_topics_as_far_as_permitted(stage: Stage):
    stage.listen("spanish", "queue:spanish", queues=["spanish"])
    stage.listen("english", "queue:english", queues=["english"])
    stage.listen("both", "queue:spanish", "queue:english")
    stage.listen("call", "call:s1")
    stage.listen("agent", "agent:ana")
    stage.listen("alerts", "alerts:spanish")
    stage.listen("foreign", "queue:spanish", "call:s1", "agent:ana", "alerts:spanish", queues=["english"])
    stage.listen("sender", "queue:spanish", role="sender")
    stage.listen("nothing")
    async with stage.relay() as running:
        await running.ready()
        s1 = await stage.begin("s1")
        e1 = await stage.begin("e1", "english")
        s2 = await stage.begin("s2")
        rang, spoke = await stage.send(routed("s1"), answered("s1", 31))
        await running.relay_store.until_cleared(s1, e1, s2, rang, spoke)
    owed = {
        "spanish": {s1, s2, rang, spoke},
        "english": {e1},
        "both": {s1, e1, s2, rang, spoke},
        "call": {s1, rang, spoke},
        "agent": {rang, spoke},
        "alerts": {rang, spoke},  # the batch was sent with the final call: flagged
    }
    got = {name: set(stage.gateway.events(name)) for name in stage.gateway.frames}
    assert got == owed
    assert stage.gateway.calls("both") == {"s1": 3, "e1": 1, "s2": 1}
    assert stage.owed() == set()


async def test_messages_without_subscribers_are_cleared(stage: Stage):
    async with stage.relay() as running:
        await running.ready()
        await running.relay_store.until_cleared(await stage.begin("c1"))
    assert stage.owed() == set()


async def test_both_queues_get_a_transfer_live_and_from_the_outbox(stage: Stage):
    def left(name: str) -> list[tuple[str, int]]:
        """Departures, without copies: what the outbox still holds may be sent twice."""
        return list(dict.fromkeys((gone["id"], gone["version"]) for gone in stage.gateway.left(name)))

    for name, queue in (("s", "spanish"), ("e", "english")):
        stage.listen(name, f"queue:{queue}", queues=[queue])
    moved = {"event": "call_transferred", "callId": "c1", "queueId": "english"}
    async with stage.relay() as running:
        await running.ready()
        before = [await stage.begin("c1"), *await stage.send(routed("c1"), answered("c1"))]
        (transfer,) = await stage.send(moved)
        (after,) = await stage.send(routed("c1", "bea"))
        await running.relay_store.until_cleared(*before, transfer, after)
    assert (stage.gateway.events("s"), left("s")) == (before, [("c1", 4)])
    assert stage.gateway.events("e") == [transfer, after]
    moved["callId"] = "c2"
    quiet = [await stage.begin("c2"), *await stage.send(routed("c2"), answered("c2"), moved)]
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*quiet)
    assert (stage.gateway.events("s"), left("s")) == (before, [("c1", 4), ("c2", 4)])
    assert stage.gateway.events("e")[2:] == quiet


@pytest.mark.parametrize("live", [True, False], ids=["live", "from the outbox"])
async def test_only_the_next_queue_gets_events_after_a_transfer(stage: Stage, live: bool):
    """The transfer, the next answer and the end are recorded together, so one frame carries their result."""
    began = await stage.send(initiated("c1"), routed("c1"), answered("c1", 40))
    topics = "queue:spanish", "alerts:spanish", "call:c1", "agent:ana"
    connection = stage.database.connection()
    connection.execute("update agents set queues = '{spanish}' where id = 'ana'")
    for topic in topics:
        stage.listen(f"left {topic}", topic, queues=["spanish"])
        stage.listen(f"both {topic}", topic, queues=["spanish", "english"])
    stage.listen("next", "queue:english", queues=["english"])
    end = {"event": "call_ended", "callId": "c1", "endReason": "failed", "duration": 60}
    secrets = [
        {"event": "call_transferred", "callId": "c1", "queueId": "english", "metadata": {"line": "theirs"}},
        routed("c1", "ben") | {"metadata": {"line": "theirs"}}, answered("c1"), end,
    ]  # fmt: skip
    sent = [] if live else await stage.send(*secrets)
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*began)
        sent = sent or await stage.send(*secrets)
        await running.relay_store.until_cleared(*sent)
    assert stage.gateway.events("next")[-4:] == sent
    for topic in topics:
        frames = [frame for frame in stage.gateway.frames[f"left {topic}"] if frame["left"]]
        assert [frame["left"] for frame in frames] == [[{"id": "c1", "version": 7}]], topic
        assert all(not frame[kind] for frame in frames for kind in ("calls", "events", "alerts")), topic
        assert all(frame["agents"] or not frame["traces"] for frame in frames), topic
        every_frame = json.dumps(stage.gateway.frames[f"left {topic}"])
        assert not {"ben", "english", "theirs", "failed"} & set(every_frame.split('"')), topic
        seen = [frame for frame in stage.gateway.frames[f"both {topic}"] if frame["calls"]][-1]
        assert (seen["left"], seen["calls"][0]["endReason"]) == ([], "failed"), topic


async def test_frames_stay_below_32_kb(stage: Stage):
    stage.listen("c", "queue:spanish")
    events = await stage.send(*(initiated(f"c{n}", metadata={"note": "ñ" * 2000}) for n in range(20)))
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*events)
    assert max(stage.gateway.sizes) < 32 * 1024
    assert sorted(stage.gateway.events("c")) == sorted(events)
    assert len(stage.gateway.calls("c")) == 20


async def test_agents_are_sent_on_their_own_topics(stage: Stage):
    connection = stage.database.connection()
    connection.execute(
        "insert into agents (id, name, queues, status_since) values ('ana', 'Ana', '{spanish}', now() - interval '1h')"
    )
    stage.listen("agent", "agent:ana", queues=["spanish"])
    stage.listen("queue", "queue:spanish")
    stage.listen("other", "queue:english", "agent:bea")
    stage.listen("foreign", "agent:ana", queues=["english"])
    async with stage.relay() as running:
        await running.ready()
        await stage.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
        await stage.gateway.until(lambda: {"agent", "queue"} <= set(stage.gateway.frames))
    assert set(stage.gateway.frames) == {"agent", "queue"}
    (frame,) = stage.gateway.frames["agent"]
    assert [(agent["id"], agent["status"]) for agent in frame["agents"]] == [("ana", "available")]


@pytest.mark.parametrize("live", [True, False], ids=["live", "from the outbox"])
async def test_a_call_of_a_shared_agent_is_hidden_from_other_queues(stage: Stage, live: bool):
    connection = stage.database.connection()
    connection.execute(
        "insert into agents (id, name, queues, status, status_since)"
        " values ('ana', 'Ana', '{spanish,english}', 'available', now() - interval '1h')"
    )
    rights = {"spanish": ["spanish"], "english": ["english"], "both": ["spanish", "english"], "all": ["*"]}
    for name, queues in rights.items():
        stage.listen(name, "agent:ana", queues=queues)

    def sent(name: str) -> set[tuple[str, str | None]]:
        agents = [agent for frame in stage.gateway.frames[name] for agent in frame["agents"]]
        return {(agent["status"], agent["callId"]) for agent in agents}

    async def happen() -> list[str]:
        return [await stage.begin("c1"), *await stage.send(routed("c1"))]

    made = [] if live else await happen()
    async with stage.relay() as running:
        await running.ready()
        await running.relay_store.until_cleared(*(made or await happen()))
        assert all(sent(name) == {("offered", "c1")} for name in ("spanish", "both", "all"))
        assert sent("english") == {("offered", None)}
        # The call that Ana goes on with is not sent with her.
        both = [await stage.begin("c2"), *await stage.send(routed("c2"), answered("c2"))]
        left = await stage.send({"event": "call_ended", "callId": "c1", "endReason": "abandoned", "duration": 0})
        await running.relay_store.until_cleared(*both, *left)
    assert all(("on_call", "c2") in sent(name) for name in ("spanish", "both", "all"))
    assert ("on_call", None) in sent("english") and ("on_call", "c2") not in sent("english")


async def test_an_agent_s_call_is_named_across_transactions(stage: Stage):
    def put(name: str) -> None:
        setup = AgentSetup(name=name, languages=["es"], queues=["spanish"])
        stage.ingest.set_up_agent("ana", setup)

    stage.listen("spanish", "queue:spanish", queues=["spanish"])
    put("Ana")
    sent = [await stage.begin("c1"), *await stage.send(routed("c1"), answered("c1"))]
    put("Anna")
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*sent)
        await stage.gateway.until(lambda: stage.gateway.frames["spanish"])
    agents = [agent for frame in stage.gateway.frames["spanish"] for agent in frame["agents"]]
    assert {(agent["name"], agent["callId"]) for agent in agents} == {("Anna", "c1")}


@pytest.mark.parametrize("live", [True, False], ids=["live", "from the outbox"])
async def test_a_queue_s_subscribers_reload_when_an_agent_is_removed(stage: Stage, live: bool):
    def put(*queues: str) -> None:
        setup = AgentSetup(name="Ana", languages=["es"], queues=list(queues))
        stage.ingest.set_up_agent("ana", setup)

    frames = stage.gateway.frames

    def resets(name: str) -> set[str]:
        """At least once: a sent message that is not acknowledged yet may be read from the outbox again."""
        return {topic for frame in frames[name] if frame["type"] == "reset" for topic in frame["topics"]}

    put("spanish", "french")
    stage.listen("spanish", "queue:spanish", queues=["spanish"])
    stage.listen("all", "queue:spanish", "queue:english")
    stage.listen("english", "queue:english", queues=["english"])
    stage.listen("foreign", "agent:ana", queues=["english"])
    if not live:
        put("french")
        put("french", "english")
    async with stage.relay() as running:
        await running.ready()
        if live:
            put("french")
            put("french", "english")
        await stage.gateway.until(lambda: resets("spanish") and resets("all") and {"english", "foreign"} <= set(frames))
    assert resets("spanish") == resets("all") == {"queue:spanish"}
    for name in ("all", "english", "foreign"):
        agents = [agent for frame in frames[name] if frame["type"] == "update" for agent in frame["agents"]]
        assert agents[-1]["queues"] == ["french", "english"]
    assert {frame["type"] for name in ("english", "foreign") for frame in frames[name]} == {"update"}


@pytest.mark.parametrize("by_the_sweep", [False, True], ids=["by the relay", "by the sweep"])
async def test_a_queue_gets_a_departure_whose_event_was_deferred(stage: Stage, by_the_sweep: bool):
    """A transfer that comes late moves the call elsewhere, and takes the place of the one that was not sent."""
    stage.database.connection().execute("insert into queues (id, name) values ('french', 'French')")
    stage.listen("c", "queue:english", queues=["english"])
    moved = {"event": "call_transferred", "callId": "c1"}
    talking = [initiated("c1", "english", occurredAt=ago(90)), routed("c1") | {"occurredAt": ago(89)}]
    sent = await stage.send(*talking, answered("c1") | {"occurredAt": ago(88)})
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*sent)
    await stage.send(moved | {"queueId": "spanish"})
    await stage.send(moved | {"queueId": "french", "occurredAt": ago(50)})
    connection = stage.database.connection()
    connection.execute("update outbox set failed_at = now() where %s", [by_the_sweep])
    async with stage.relay() as running:
        await running.ready()
        connection.execute("update outbox set failed_at = null")
        upkeep = PostgresHousekeeping(stage.database, "", lambda: None)
        overdue = await asyncio.to_thread(upkeep.take_overdue, clock.now() + timedelta(minutes=1))
        RedisPublisher(stage.redis_url, 1).publish(overdue)
        await stage.gateway.until(lambda: any(frame["type"] == "reset" for frame in stage.gateway.frames["c"]))
    resets = [frame["topics"] for frame in stage.gateway.frames["c"] if frame["type"] == "reset"]
    assert resets[0] == ["queue:english"]


async def test_an_agent_topic_gets_a_call_s_departure(stage: Stage):
    stage.listen("agent", "agent:ana")
    quiet = [await stage.begin("c1"), *await stage.send(routed("c1"), answered("c1"))]
    moved = await stage.send({"event": "call_transferred", "callId": "c1", "queueId": "english"})
    async with stage.relay() as running:
        await running.relay_store.until_cleared(*quiet, *moved)
    assert stage.gateway.events("agent") == [
        quiet[1],
        *moved,
    ]  # `call_answered` names no agent, and no agent has the call


async def test_the_alert_topic_gets_the_end_of_an_alert(stage: Stage):
    """It ended before the hold that was too long, or went on to a queue with other subscribers of alerts."""
    stage.listen("c", "alerts:spanish")
    async with stage.relay() as running:
        await running.ready()
        for call_id in ("ended", "moved"):
            began = initiated(call_id, occurredAt=ago(90)), routed(call_id) | {"occurredAt": ago(89)}
            held = {"event": "call_hold", "callId": call_id, "holdDuration": 75, "occurredAt": ago(2)}
            await stage.send(*began, answered(call_id) | {"occurredAt": ago(88)}, held)
        end = {"event": "call_ended", "callId": "ended", "endReason": "completed", "duration": 80, "occurredAt": ago(8)}
        (unflagged,) = await stage.send(end)
        (moved,) = await stage.send({"event": "call_transferred", "callId": "moved", "queueId": "english"})
        await running.relay_store.until_cleared(unflagged, moved)
    calls = {call["id"]: call for frame in stage.gateway.frames["c"] for call in frame.get("calls", ())}
    assert (calls["ended"]["flags"], calls["moved"]["queueId"]) == ([], "english")


def ago(seconds: float) -> str:
    return (clock.now() - timedelta(seconds=seconds)).isoformat()
