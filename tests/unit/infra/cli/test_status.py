"""What `switchboard status` shows, and what only on request."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli import app
from infra.cli.status import without_password
from infra.home import Home
from infra.machine import ports

SECRETS = {"token": "a-token", "password": "a-password", "aws": "an-aws-secret", "redis": "a-redis-password"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A run that ended without a word: its ports are closed, so each part is asked in no time."""
    monkeypatch.setenv("SWITCHBOARD_HOME", str(tmp_path))
    home, port = Home(tmp_path), ports.claim()
    ports.release(port)
    edge = f"http://127.0.0.1:{port}"
    state = {
        "ready": True,
        "api": f"{edge}/api",
        "websocket": f"ws://127.0.0.1:{port}/live",
        "dashboard": f"{edge}/index.html#token={SECRETS['token']}",
        "database": f"postgresql://switchboard:{SECRETS['password']}@127.0.0.1:{port}/switchboard",
        "redis": f"redis://:{SECRETS['redis']}@127.0.0.1:{port}/0",
        "token": SECRETS["token"],
        "aws": edge,
        "aws_credentials": {"aws_access_key_id": "000000000000", "aws_secret_access_key": SECRETS["aws"]},
    }
    home.write_state(state)
    return state


def printed(*options: str) -> str:
    done = CliRunner().invoke(app, ["status", *options])
    assert done.exit_code == 1  # nothing answers
    return done.output


def test_nothing_that_signs_in_is_shown(state: dict[str, Any], tmp_path: Path):
    shown = printed()
    assert not [name for name, secret in SECRETS.items() if secret in shown]
    assert f"{state['aws']}/index.html\n" in shown and state["websocket"] in shown
    assert (tmp_path / "sign-in.html").as_uri() in shown
    assert "status --secrets" in shown


def test_secrets_are_shown_on_request(state: dict[str, Any]):
    shown = printed("--secrets")
    assert state["dashboard"] in shown and state["database"] in shown and f"{SECRETS['token']}\n" in shown


def test_programs_get_everything(state: dict[str, Any]):
    complete = json.loads(printed("--json"))
    assert complete | {name: value for name, value in state.items() if name != "ready"} == complete
    assert f"API={state['api']} TOKEN={SECRETS['token']}" in printed("--shell")


def test_a_run_without_a_dashboard(state: dict[str, Any], tmp_path: Path):
    Home(tmp_path).write_state(state | {"dashboard": None})
    assert "Sign in  left out" in printed()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@127.0.0.1:15432/db", "postgresql://me:•••@127.0.0.1:15432/db"),
        (
            "postgresql://me:a%2Fb@127.0.0.1:15432/db?sslmode=require",
            "postgresql://me:•••@127.0.0.1:15432/db?sslmode=require",
        ),
    ],
)
def test_the_password_of_an_address_is_hidden(url: str, shown: str):
    assert without_password(url) == shown


def test_a_sign_in_page_is_private_and_quotes_its_address(tmp_path: Path):
    home = Home(tmp_path)
    home.write_sign_in('http://127.0.0.1:1/index.html#token=a"><script>')
    assert home.sign_in.stat().st_mode & 0o777 == 0o600
    assert "<script>" not in home.sign_in.read_text() and "a&quot;&gt;" in home.sign_in.read_text()


def test_a_home_becomes_private(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o755)
    home.create()
    assert [folder.stat().st_mode & 0o777 for folder in (home.root, home.logs, home.temporary)] == [0o700] * 3


def test_a_home_that_everybody_can_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SWITCHBOARD_HOME", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    done = CliRunner().invoke(app, ["up"])
    assert done.exit_code == 1
    assert "SWITCHBOARD_HOME" in done.output
    assert (tmp_path / "shared").stat().st_mode & 0o7777 == 0o1777
