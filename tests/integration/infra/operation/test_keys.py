"""Keys that sign tokens, held where a deployment holds them: read by name, rotated, and found by a running function."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import aws
from infra.home import Home
from infra.local.ministack import MiniStack
from infra.machine.ports import claim
from infra.operation.keys import LocalKeys, Parameter, Secret, holder
from shared import settings
from shared.adapters.auth import signing_keys, tokens
from shared.adapters.aws import secrets

KEY = "a key for tests, long enough for HS256"
NEXT = "the next key of the tests, as long as that"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = Home(tmp_path_factory.mktemp("home"))
    home.create()
    server = MiniStack(claim(), home, "test")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def function(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", **region}
    for name, value in {**account, "AWS_ENDPOINT_URL": endpoint, "DATABASE_URL": "-", "REDIS_URL": "-"}.items():
        monkeypatch.setenv(name, value)
    settings.settings.cache_clear()
    yield monkeypatch
    settings.settings.cache_clear()


@pytest.mark.parametrize("name", ["switchboard/token-key", "/switchboard/token-key"])
def test_keys_are_read_and_rotated_by_name(endpoint: str, function: pytest.MonkeyPatch, name: str) -> None:
    function.setenv("TOKEN_KEY_NAME", name)
    held = holder(name, "us-east-1", endpoint)
    if isinstance(held, Secret):
        aws.client("secretsmanager", "us-east-1", endpoint).create_secret(Name=name, SecretString=KEY)
    else:
        assert isinstance(held, Parameter)
        held.write(KEY)
    held.write(f"{NEXT}\n{held.read()}")
    assert secrets.fetch(name, "us-east-1", endpoint) == f"{NEXT}\n{KEY}"
    for key in (KEY, NEXT):
        assert signing_keys.authenticate(tokens.mint(key, role="sender")).role == "sender"


def test_a_secret_that_is_not_there_is_named_by_its_reason(endpoint: str, function: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - an account
    for name in ("unknown/s", "/unknown/s"):
        with pytest.raises(secrets.SecretError, match="NotFound"):
            secrets.fetch(name, "us-east-1", endpoint)
    with pytest.raises(secrets.SecretError, match="could not be reached"):
        secrets.fetch("unknown/s", "us-east-1", "http://127.0.0.1:1")


def test_the_local_keys_are_a_file_of_its_owner(tmp_path: Path) -> None:
    held = LocalKeys(Home(tmp_path))
    held.write(f"{NEXT}\n{held.read()}")
    assert next(iter(tokens.parse_keys(held.read()).values())) == NEXT
    assert (tmp_path / "secrets" / "token-key").stat().st_mode & 0o077 == 0
