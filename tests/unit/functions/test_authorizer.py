"""The authorizer as API Gateway calls it, for REST and for `$connect`, and where it gets its keys."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions.authorizer.app import UnauthorizedError, authorize
from shared import settings
from shared.adapters.auth import tokens
from shared.adapters.auth.signing_keys import Keys
from shared.adapters.aws import secrets
from tests.support.clock import Clock
from tests.support.strangers import strangers

KEY = "a key for tests, long enough for HS256"
NEXT = "the next key of the tests, as long as that"
ARN = "arn:aws:execute-api:eu-west-1:123456789012:abc/live"
REST = f"{ARN}/GET/api/calls"


@pytest.fixture(autouse=True)
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"DATABASE_URL": "unused", "REDIS_URL": "unused", "TOKEN_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    settings.settings.cache_clear()
    yield
    settings.settings.cache_clear()


def arriving(token: str) -> list[dict[str, Any]]:
    """All the ways in which a token comes to the door."""
    return [
        {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": REST},
        {"type": "REQUEST", "headers": {"Authorization": f"bearer {token}"}, "methodArn": REST},
        {"type": "REQUEST", "headers": {}, "queryStringParameters": {"token": token}, "methodArn": f"{ARN}/$connect"},
    ]


def test_a_valid_token_gets_a_policy_for_the_whole_stage() -> None:
    for event in arriving(tokens.mint(KEY, role="supervisor", queues=("b", "a"))):
        answer = authorize(event, None)
        (statement,) = answer["policyDocument"]["Statement"]
        assert (statement["Effect"], statement["Resource"]) == ("Allow", f"{ARN}/*")
        assert (answer["context"]["role"], answer["context"]["queues"]) == ("supervisor", "a b")


@pytest.mark.parametrize("token", strangers(KEY).values(), ids=strangers(KEY))
def test_any_other_is_refused_with_the_word_that_makes_a_401(token: str) -> None:
    for event in arriving(token):
        with pytest.raises(UnauthorizedError, match=r"^Unauthorized$"):
            authorize(event, None)


def test_a_socket_is_refused_by_a_policy() -> None:
    connecting = {"routeKey": "$connect", "eventType": "CONNECT"}
    event = {"type": "REQUEST", "requestContext": connecting, "methodArn": f"{ARN}/$connect"}
    (statement,) = authorize(event | {"queryStringParameters": {"token": "nonsense"}}, None)["policyDocument"][
        "Statement"
    ]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", f"{ARN}/*")


def test_another_scheme_is_no_bearer() -> None:
    event = {"type": "TOKEN", "authorizationToken": f"Basic {tokens.mint(KEY, role='admin')}", "methodArn": REST}
    with pytest.raises(UnauthorizedError):
        authorize(event, None)


def test_new_keys_are_found_and_an_outage_keeps_the_old_ones(clock: Clock) -> None:
    held, asked = [KEY], []

    def fetch() -> str:
        asked.append(clock.now())
        if not held[0]:
            raise secrets.SecretError("away")
        return held[0]

    found = Keys(fetch)
    old = tokens.mint(KEY, role="admin")
    found.authenticate(old, clock.now())
    found.authenticate(old, clock.now())
    assert len(asked) == 1, "kept"
    held[0] = f"{NEXT}\n{KEY}"
    new = tokens.mint(NEXT, role="admin")
    with pytest.raises(tokens.UnknownKeyError):
        found.authenticate(new, clock.now())  # forged tokens do not make us ask each time
    clock.go_to(11)
    assert found.authenticate(new, clock.now()).role == "admin"
    held[0] = ""
    clock.go_to(1000)
    assert found.authenticate(old, clock.now()).role == "admin"
    assert len(asked) == 3
    with pytest.raises(secrets.SecretError):
        Keys(fetch).authenticate(old, clock.now())


def test_a_weak_key_signs_nothing() -> None:
    with pytest.raises(tokens.WeakKeyError):
        tokens.mint("short", role="admin")
