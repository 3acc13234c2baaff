"""Access: every route and every kind of topic, against every role and against invalid tokens."""

import json
from datetime import timedelta
from itertools import product
from typing import Any, get_args

import pytest

from infra.deployment import template
from shared import wiring
from shared.adapters.auth import tokens
from shared.contracts.feed import SiteTopic, TopicKind
from shared.usecases.feed.topics import forbidden_topics
from tests.support.rest import KEY, RELAY_ALIVE, SWEEP_ALIVE, Api
from tests.support.sockets import KEY as SOCKETS_KEY
from tests.support.sockets import Sockets, subscribe
from tests.support.strangers import strangers

# None of these ids is among the examples of the OpenAPI document, which everybody may read.
HOME, FOREIGN = "legal_english", "medical_spanish"
AGENT = "interpreter-19"  # works in HOME and not in FOREIGN
CALL = "call-of-home"
MARKER = "a-caller-s-own-words"
INITIATED = {"event": "call_initiated", "callId": CALL, "type": "voice", "queueId": HOME}
ANSWERED = {"event": "call_answered", "callId": CALL, "waitTime": 3}
QUEUE_SETUP = {"name": "Spanish", "language": "es"}
AGENT_SETUP = {"name": "Ana", "languages": ["es"], "queues": [HOME]}
PATH = {"call_id": CALL, "queue_id": HOME, "agent_id": AGENT}
EVERYBODY, READERS, SENDERS, ADMINS = "everybody", {"supervisor", "admin"}, {"sender", "admin"}, {"admin"}

# The roles that may use each route, a valid body, and the status for a token of another queue only.
ROUTES: dict[tuple[str, str], tuple[Any, Any, int]] = {
    ("GET", "/api/health"): (EVERYBODY, None, 200),
    ("GET", "/api/health/deep"): (ADMINS, None, 403),
    ("GET", "/api/openapi.json"): (EVERYBODY, None, 200),
    ("GET", "/api/docs"): (EVERYBODY, None, 200),
    ("GET", "/api/calls"): (READERS, None, 200),
    ("GET", "/api/calls/{call_id}"): (READERS, None, 404),
    ("GET", "/api/calls/{call_id}/events"): (READERS, None, 404),
    ("GET", "/api/queues"): (READERS, None, 200),
    ("GET", "/api/agents"): (READERS, None, 200),
    ("GET", "/api/queues/{queue_id}"): (READERS, None, 404),
    ("GET", "/api/agents/{agent_id}"): (READERS, None, 404),
    ("GET", "/api/dead-letters"): (READERS, None, 200),
    ("GET", "/api/metrics"): (READERS, None, 200),
    ("POST", "/api/events"): (SENDERS, ANSWERED, 403),
    ("POST", "/api/dead-letters/redrive"): (ADMINS, {"all": True}, 403),
    ("PUT", "/api/queues/{queue_id}"): (ADMINS, QUEUE_SETUP, 403),
    ("PUT", "/api/agents/{agent_id}"): (ADMINS, AGENT_SETUP, 403),
}
INVALID_TOKENS, INVALID_SOCKET_TOKENS = strangers(KEY), strangers(SOCKETS_KEY)
ROLES = get_args(tokens.Role)


def deployed() -> set[tuple[str, str]]:
    """Every route that the template deploys."""
    events = [
        event["Properties"]
        for resource in template.load()["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    return {(event["Method"].upper(), event["Path"]) for event in events}


def on_record(api: Api) -> None:
    """A call with an agent, an event that is deferred and one that is dead, all of them in HOME."""
    words = {"metadata": {"note": MARKER}}
    for alive in (SWEEP_ALIVE, RELAY_ALIVE):
        wiring.database().connection().execute(alive)
    api.post(INITIATED | words)
    api.post({"event": "call_routed", "callId": CALL, "agentId": AGENT, "routingTime": 1} | words)


def ask(api: Api, route: tuple[str, str], token: str, body: Any = None) -> tuple[int, str]:
    method, path = route
    needed: Any = {name: value for name, value in PATH.items() if f"{{{name}}}" in path}
    answer = api.raw(method, path, body, token=token, **needed)
    return answer["statusCode"], answer["body"]


def answered(api: Api) -> set[tuple[str, str]]:
    """Every route that a function answers."""
    return {(method, path) for app in api.apps for path, methods in app.routes.items() for method in methods}


def test_no_route_is_forgotten(api: Api) -> None:
    assert deployed() == answered(api) == set(ROUTES)


@pytest.mark.parametrize("token", INVALID_TOKENS.values(), ids=INVALID_TOKENS.keys())
def test_an_invalid_token_gets_401_and_no_information(api: Api, token: str) -> None:
    on_record(api)
    for route, (permitted, body, _) in ROUTES.items():
        status, answer = ask(api, route, token, body)
        assert status == (200 if permitted == EVERYBODY else 401), route
        for secret in (MARKER, CALL, AGENT, HOME):
            assert secret not in answer, route


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_its_own_and_nothing_else(api: Api, role: tokens.Role) -> None:
    on_record(api)
    for route, (permitted, body, _) in ROUTES.items():
        status, answer = ask(api, route, tokens.mint(KEY, role=role, queues=(HOME, "*")), body)
        if permitted == EVERYBODY or role in permitted:
            assert status in (200, 201), (route, answer)
        else:
            assert status == 403, route
            for secret in (MARKER, CALL, AGENT):
                assert secret not in answer, route


@pytest.mark.parametrize("role", ROLES)
def test_a_token_for_another_queue_learns_and_changes_nothing(api: Api, role: tokens.Role) -> None:
    on_record(api)
    token = tokens.mint(KEY, role=role, queues=(FOREIGN,))
    before = ask(api, ("GET", "/api/calls/{call_id}"), tokens.mint(KEY, role="admin"))
    for route, (permitted, body, foreign) in ROUTES.items():
        status, answer = ask(api, route, token, body)
        assert status == (foreign if permitted == EVERYBODY or role in permitted else 403), (route, answer)
        asked = {value for name, value in PATH.items() if f"{{{name}}}" in route[1]}  # an id that the reader knew
        for secret in {MARKER, AGENT, HOME} - asked:
            assert secret not in answer, route
    assert ask(api, ("GET", "/api/calls/{call_id}"), tokens.mint(KEY, role="admin")) == before


@pytest.mark.parametrize(("_", "path"), [route for route, rules in ROUTES.items() if rules[2] == 404])
def test_a_forbidden_resource_answers_as_if_it_did_not_exist(api: Api, _: str, path: str) -> None:
    on_record(api)
    token = tokens.mint(KEY, role="supervisor", queues=(FOREIGN,))
    known = next(name for name in PATH if f"{{{name}}}" in path)
    there = api.call("GET", path, None, token=token, **{known: PATH[known]})  # type: ignore[arg-type]  # a path
    nowhere = api.call("GET", path, None, token=token, **{known: "nowhere"})  # type: ignore[arg-type]  # a path
    assert there[0] == nowhere[0] == 404
    assert json.dumps(there[1]).replace(PATH[known], "nowhere") == json.dumps(nowhere[1])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(INITIATED | {"callId": "call-2"}, id="a new call in a foreign queue"),
        pytest.param(ANSWERED, id="an event of a foreign call"),
        pytest.param({"event": "call_transferred", "callId": "call-f", "queueId": HOME}, id="a transfer to one"),
        pytest.param({"event": "agent_status_changed", "agentId": AGENT, "status": "away"}, id="a foreign agent"),
        pytest.param({"event": "agent_status_changed", "agentId": "unknown", "status": "away"}, id="an unknown agent"),
    ],
)
def test_a_sender_speaks_only_of_its_own_queues(api: Api, event: dict[str, Any]) -> None:
    on_record(api)
    token = tokens.mint(KEY, role="sender", queues=(FOREIGN,))
    own = INITIATED | {"callId": "call-f", "queueId": FOREIGN}
    assert api.post(own, token=token)[0] == 201
    status, problem, _ = api.post(event, token=token)
    assert (status, problem["title"]) == (403, "Not permitted")
    statuses = [item["status"] for item in api.post([event, own | {"callId": "call-g"}], token=token)[1]["results"]]
    assert statuses == [403, 201], "one that is refused spoils no other"


def test_a_narrowed_administrator_sets_up_its_own_queue_only(api: Api) -> None:
    token = tokens.mint(KEY, role="admin", queues=(FOREIGN,))

    def put(queue_id: str, **more: Any) -> int:
        return api.call("PUT", "/api/queues/{queue_id}", QUEUE_SETUP | more, token=token, queue_id=queue_id)[0]

    assert put(FOREIGN) == 200
    assert put(HOME) == 403
    assert put(FOREIGN, overflowSeconds=5, overflowQueueId=HOME) == 403


# Each kind of topic: one that is of HOME, and who may follow it with a token for HOME alone and for every queue.
TOPICS: dict[str, tuple[str, set[str], set[str]]] = {
    "queue": (f"queue:{HOME}", READERS, READERS),
    "alerts": (f"alerts:{HOME}", READERS, READERS),
    "call": ("call:s1", READERS, READERS),
    "agent": (f"agent:{AGENT}", READERS, READERS),
    "ops": ("ops", ADMINS, READERS),
}


def test_no_kind_of_topic_is_forgotten() -> None:
    assert set(TOPICS) == {*get_args(TopicKind), *get_args(SiteTopic)}


def test_an_unknown_kind_of_topic_is_forbidden_for_every_role() -> None:
    principal = tokens.read(KEY, tokens.mint(KEY, role="admin"))
    assert forbidden_topics(principal, [f"wall:{HOME}", "everything"], {}, {}) == [f"wall:{HOME}", "everything"]


@pytest.mark.parametrize("kind", INVALID_SOCKET_TOKENS)
def test_an_invalid_token_gets_no_socket(play: Any, kind: str) -> None:
    async def body(sockets: Sockets) -> None:
        assert await sockets.connect("refused", INVALID_SOCKET_TOKENS[kind]) == 401
        for topic, *_ in TOPICS.values():
            assert await sockets.say("refused", subscribe(topic)) == []

    play(body)


def test_every_kind_of_topic_against_every_role(play: Any) -> None:
    async def body(sockets: Sockets) -> None:
        await sockets.stage.begin("s1", HOME, metadata={"note": MARKER})

        async def answer(role: tokens.Role, queue: str, topic: str) -> str:
            name = f"{role}-{queue}-{topic}"
            assert await sockets.connect(name, tokens.mint(SOCKETS_KEY, role=role, queues=(queue,))) == 200
            frames = await sockets.say(name, subscribe(topic, since=0))
            for secret in (MARKER, '"s1"') if queue == FOREIGN or role == "sender" else ():
                assert secret not in json.dumps(frames)
            kinds = {frame["type"] for frame in frames}
            refused = {frame["problem"]["status"] for frame in frames if frame["type"] == "error"}
            assert refused <= {403}
            return "refused" if "error" in kinds else "subscribed"

        for topic, with_home, with_all in TOPICS.values():
            for role, (queue, permitted) in product(ROLES, [(HOME, with_home), ("*", with_all), (FOREIGN, set())]):
                sees = role in permitted or (role in ADMINS and topic == "ops")
                assert await answer(role, queue, topic) == ("subscribed" if sees else "refused"), (role, queue, topic)

    play(body)


def test_a_foreign_topic_is_refused_like_one_that_does_not_exist(play: Any) -> None:
    async def body(sockets: Sockets) -> None:
        await sockets.stage.begin("s1", HOME)
        await sockets.enter("c", queues=[FOREIGN])
        for there, nowhere in (("call:s1", "call:s2"), (f"agent:{AGENT}", "agent:unknown")):
            answers = [json.dumps(await sockets.say("c", subscribe(topic))) for topic in (there, nowhere)]
            assert answers[0].replace(there, nowhere) == answers[1]

    play(body)


# --- keys ---


OLD, NEW = "the key that signed until now, long enough", "the key that signs from now on, long enough"


def test_two_keys_both_let_in_and_the_first_signs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.cli.token import rotated
    from shared import settings

    def status(keys: str, token: str) -> int:
        monkeypatch.setenv("TOKEN_KEY", keys)
        settings.settings.cache_clear()
        return api.call("GET", "/api/queues", token=token)[0]

    before = tokens.mint(OLD, role="admin")
    both = rotated(OLD, NEW)
    after = tokens.mint(both, role="admin")
    assert [status(OLD, before), status(OLD, after)] == [200, 401]
    assert [status(both, before), status(both, after)] == [200, 200]
    third = rotated(both, "a third key that is long enough, too")
    assert [status(third, before), status(third, after)] == [401, 200]
    leaked = rotated(OLD, NEW, drop_others=True)
    assert [status(leaked, before), status(leaked, after)] == [401, 200]


def test_a_narrow_token_lasts_as_long_as_it_says() -> None:
    from shared.adapters import clock

    now = clock.now()
    principal = tokens.read(KEY, tokens.mint(KEY, role="supervisor", queues=("a", "b"), ttl_seconds=90, now=now))
    assert principal.queues == {"a", "b"}
    assert (
        timedelta(seconds=89) <= timedelta(seconds=principal.expires_at - int(now.timestamp())) <= timedelta(seconds=91)
    )
