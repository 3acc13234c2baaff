"""`switchboard token`: an unknown queue is a warning."""

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from infra.cli import app
from shared.adapters.auth import tokens

QUEUES = httpx.Response(200, json={"data": [{"id": "medical_spanish"}]}, request=httpx.Request("GET", "http://local"))
RUNNING = {"ready": True, "api": "http://local", "token": "any"}


@pytest.mark.parametrize(
    ("state", "queue", "warning"),
    [
        (RUNNING, "medical_spanisch", "The local run has no queue medical_spanisch yet.\n"),
        (RUNNING, "medical_spanish", ""),
        (RUNNING, "*", ""),
        ({}, "medical_spanisch", ""),
    ],
    ids=["unknown", "known", "every queue", "nothing runs"],
)
def test_an_unknown_queue_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: dict[str, object], queue: str, warning: str
) -> None:
    monkeypatch.setenv("SWITCHBOARD_HOME", str(tmp_path))
    monkeypatch.setattr("infra.cli.token.httpx.get", lambda *_, **__: QUEUES)
    (tmp_path / "state.json").write_text(json.dumps(state))
    done = CliRunner().invoke(app, ["token", "--role", "supervisor", "--queue", queue])
    assert (done.exit_code, done.stderr) == (0, warning)
    key = (tmp_path / "secrets" / "token-key").read_text().strip()
    assert tokens.read(key, done.stdout.strip()).queues == {queue}
