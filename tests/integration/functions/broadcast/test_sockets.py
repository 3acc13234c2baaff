"""The socket handlers as API Gateway calls them, on real Postgres and a gateway that takes posts."""

import jwt
import pytest

from infra.specs import asyncapi
from shared import wiring
from shared.adapters import clock
from shared.adapters.auth import tokens
from shared.contracts.setup import AgentSetup
from tests.support.asyncapi import faults
from tests.support.calls import answered, routed
from tests.support.sockets import KEY, Sockets, subscribe


def test_only_a_valid_token_gets_in(play):
    async def body(sockets: Sockets):
        expired = tokens.mint(KEY, role="admin", ttl_seconds=-10)
        foreign = tokens.mint("another key that is long enough for HS256!", role="admin")
        for token in (None, "", "nonsense", expired, foreign):
            assert await sockets.connect("c", token) == 401
        await sockets.enter("c")
        assert sockets.stage.registry.find("c")
        assert await sockets.disconnect("c") == 200
        assert sockets.stage.registry.find("c") is None
        assert await sockets.disconnect("c") == 200

    play(body)


def test_a_token_that_expires_after_year_9999_is_accepted(play):
    """As one whose maker took milliseconds for seconds does."""

    async def body(sockets: Sockets):
        for seconds in (clock.now().timestamp() * 1000, 10**18, 10**30):
            claims = {"role": "supervisor", "queues": ["*"], "exp": int(seconds)}
            token = jwt.encode(claims, KEY, headers={"kid": next(iter(tokens.parse_keys(KEY)))})
            assert await sockets.connect("c", token) == 200
            assert await sockets.say("c", {"action": "ping"}) == [{"type": "pong"}]

    play(body)


def test_without_postgres_sockets_are_refused_with_a_problem(play, monkeypatch):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        wiring.database().close()
        monkeypatch.setattr(wiring.database(), "_url", "postgresql://unknown@127.0.0.1:1/nowhere")
        assert await sockets.connect("d", tokens.mint(KEY, role="admin")) == 503
        (frame,) = await sockets.say("c", subscribe("ops"))
        assert frame["problem"]["status"] == 503
        assert await sockets.disconnect("c") == 200

    play(body)


def test_subscribing_answers_where_the_feed_stands(play):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        (frame,) = await sockets.say("c", subscribe("queue:spanish", "queue:spanish"))
        assert frame == {
            "type": "subscribed",
            "topics": ["queue:spanish"],
            "position": sockets.stage.registry.position(),
            "replayed": False,
        }
        assert await sockets.say("c", {"action": "ping"}) == [{"type": "pong"}]
        assert await sockets.say("c", {"action": "unsubscribe", "topics": ["queue:spanish"]}) == []
        assert sockets.stage.database.connection().execute("select from subscriptions").fetchall() == []

    play(body)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[]", 400),
        ("null", 400),
        ("[" * 100_000, 400),
        ('{"action": "dance"}', 400),
        ('{"topics": ["ops"]}', 400),
        (subscribe(), 400),
        (subscribe("queue:"), 400),
        (subscribe("everything"), 400),
        (subscribe("queue:spanish", since=-1), 400),
        (subscribe("queue:spanish", since="1"), 400),
        (subscribe(*(f"call:{n}" for n in range(501))), 400),
        ({"action": "ping", "padding": "x" * 129 * 1024}, 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_message_does_not_close_the_connection(play, message, status):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        (frame,) = await sockets.say("c", message)
        assert (frame["type"], frame["problem"]["status"]) == ("error", status)
        assert await sockets.say("c", {"action": "ping"}) == [{"type": "pong"}]

    play(body)


def test_one_forbidden_topic_refuses_the_whole_subscription(play):
    async def body(sockets: Sockets):
        stage = sockets.stage
        stage.database.connection().execute(
            "insert into agents (id, name, queues, status_since) values "
            "('ana', 'Ana', '{spanish,english}', now()), ('bea', 'Bea', '{english}', now())"
        )
        await stage.begin("s1")
        await stage.begin("e1", "english")
        await sockets.enter("spanish", queues=["spanish"])
        await sockets.enter("admin", role="admin")
        await sockets.enter("sender", role="sender")
        mine = ["queue:spanish", "alerts:spanish", "call:s1", "agent:ana"]
        foreign = ["queue:english", "alerts:english", "call:e1", "call:unknown", "agent:bea", "agent:unknown", "ops"]
        assert [frame["type"] for frame in await sockets.say("spanish", subscribe(*mine))] == ["subscribed"]
        for topic in foreign:
            (frame,) = await sockets.say("spanish", subscribe("queue:spanish", topic))
            assert frame["problem"]["status"] == 403, topic
            assert [error["field"] for error in frame["problem"]["errors"]] == ["topics[1]"]
        assert [frame["type"] for frame in await sockets.say("admin", subscribe(*mine, *foreign))] == ["subscribed"]
        (frame,) = await sockets.say("sender", subscribe("queue:spanish"))
        assert frame["problem"]["status"] == 403
        rows = stage.database.connection().execute("select topic from subscriptions where connection_id = 'spanish'")
        assert {row[0] for row in rows} == set(mine)

    play(body)


def test_a_resumed_client_gets_missed_entries_then_the_position(play):
    async def body(sockets: Sockets):
        stage = sockets.stage
        await sockets.enter("c")
        (frame,) = await sockets.say("c", subscribe("queue:spanish"))
        since = frame["position"]
        events = [await stage.begin("s1"), *await stage.send(routed("s1"), answered("s1"))]
        await stage.begin("e1", "english")
        await sockets.enter("again")
        update, subscribed = await sockets.say("again", subscribe("queue:spanish", since=since))
        assert [(call["id"], call["version"]) for call in update["calls"]] == [("s1", 3)]
        assert [event["id"] for event in update["events"]] == events
        assert update["position"] == since  # who loses the connection here must ask from there again
        assert (subscribed["type"], subscribed["replayed"]) == ("subscribed", True)

    play(body)


def test_a_catch_up_shows_an_agent_without_its_forbidden_call(play):
    async def body(sockets: Sockets):
        stage = sockets.stage
        since = stage.registry.position()
        stage.database.connection().execute(
            "insert into agents (id, name, queues, status, status_since)"
            " values ('ana', 'Ana', '{spanish,english}', 'available', now() - interval '1h')"
        )
        await stage.begin("s1")
        await stage.send(routed("s1"))
        for name, queues, call_id in (("a", ["spanish"], "s1"), ("b", ["english"], None), ("c", ["*"], "s1")):
            await sockets.enter(name, queues=queues)
            update, _ = await sockets.say(name, subscribe("agent:ana", since=since))
            assert [(agent["status"], agent["callId"]) for agent in update["agents"]] == [("offered", call_id)]

    play(body)


def test_a_removed_agent_makes_a_resumed_client_reload(play):
    async def body(sockets: Sockets):
        for queues, expected in ((["spanish"], "subscribed"), (["english"], "reset")):
            since = sockets.stage.registry.position()
            setup = AgentSetup(name="Ana", languages=["es"], queues=queues)
            sockets.stage.ingest.set_up_agent("ana", setup)
            await sockets.enter("c", queues=["spanish"])
            *frames, subscribed = await sockets.say("c", subscribe("queue:spanish", since=since))
            assert (frames[-1]["type"] == "reset", subscribed["replayed"]) == (expected == "reset", expected != "reset")

    play(body)


def test_a_long_catch_up_is_sent_in_parts(play):
    async def body(sockets: Sockets):
        since = sockets.stage.registry.position()
        for n in range(30):
            await sockets.stage.begin(f"c{n}", metadata={"note": "x" * 3000})
        await sockets.enter("c")
        *updates, subscribed = await sockets.say("c", subscribe("queue:spanish", since=since))
        assert len(updates) > 1
        assert max(sockets.stage.gateway.sizes) < 32 * 1024
        assert len({call["id"] for update in updates for call in update["calls"]}) == 30
        assert subscribed["replayed"]

    play(body)


def test_a_position_from_elsewhere_is_answered_by_reset(play):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        reset, subscribed = await sockets.say("c", subscribe("queue:spanish", since=10**15))
        assert (reset["type"], reset["topics"]) == ("reset", ["queue:spanish"])
        assert (subscribed["type"], subscribed["replayed"]) == ("subscribed", False)

    play(body)


@pytest.mark.parametrize("message", [subscribe("queue:spanish"), {"action": "ping"}], ids=["subscribe", "ping"])
def test_a_connection_that_is_not_listed_any_more_is_closed(play, message):
    """Also for a ping: a restored registry does not know the connection, and would never send updates to it."""

    async def body(sockets: Sockets):
        await sockets.enter("c")
        sockets.stage.database.connection().execute("update connections set expires_at = %s", [clock.now()])
        assert await sockets.say("c", message) == []
        assert sockets.stage.gateway.closed == {"c"}

    play(body)


def test_a_connection_gone_during_the_answer_is_removed(play):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        sockets.stage.gateway.closed.add("c")
        assert await sockets.say("c", subscribe("queue:spanish")) == []
        assert sockets.stage.registry.find("c") is None

    play(body)


def test_a_gone_connection_is_no_error_without_postgres(play, monkeypatch):
    async def body(sockets: Sockets):
        await sockets.enter("c")
        sockets.stage.gateway.closed.add("c")
        with monkeypatch.context() as patched:
            patched.setattr(wiring.database(), "_url", "postgresql://unknown@127.0.0.1:1/nowhere")
            wiring.database().close()
            assert await sockets.say("c", subscribe("ops")) == []
        assert sockets.stage.registry.find("c")

    play(body)


@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_refused_answer_closes_the_connection_for_a_retry(play, status):
    """The client would wait for an answer that it never got. API Gateway refuses a post when the buffer is full."""

    async def body(sockets: Sockets):
        await sockets.enter("c")
        sockets.stage.gateway.refuse = lambda _: status
        assert await sockets.say("c", subscribe("queue:spanish")) == []
        assert sockets.stage.gateway.closed == {"c"}

    play(body)


@pytest.mark.parametrize(
    "message",
    [message for each in asyncapi.CLIENT_MESSAGES.values() for message in each],
    ids=lambda message: message.name,
)
def test_the_document_s_examples_are_answered_as_it_says(play, message):
    async def body(sockets: Sockets):
        await sockets.stage.begin("call-1", "medical_spanish")
        await sockets.enter("c", queues=("medical_spanish", "legal_spanish"))
        if message.payload["action"] == "unsubscribe":
            await sockets.say("c", subscribe(*message.payload["topics"]))
        frames = await sockets.say("c", message.payload)
        assert tuple(frame["type"] for frame in frames) == message.answers
        assert [faults(frame, frame["type"]) for frame in frames] == [[]] * len(frames)
        for frame in frames:
            described = asyncapi.FRAMES[frame["type"]][0].model_dump(mode="json")
            assert set(frame) == set(described)

    play(body)


@pytest.mark.parametrize("refused", asyncapi.REFUSED, ids=lambda refused: refused.name)
def test_refusals_match_the_asyncapi_document(play, refused):
    async def body(sockets: Sockets):
        await sockets.enter("c", queues=("medical_spanish",))
        assert await sockets.say("c", refused.message) == [refused.answer.model_dump(mode="json")]
        assert await sockets.say("c", {"action": "ping"}) == [{"type": "pong"}]

    play(body)
