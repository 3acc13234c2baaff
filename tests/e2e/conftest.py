"""The local cloud as a person starts it, in a folder of its own: what it does is the subject of the tests here."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local import processes
from infra.local.home import Home

SWITCHBOARD = Path(sys.executable).with_name("switchboard")


@dataclass(frozen=True)
class Run:
    """One local cloud under a home of its own, driven by the command."""

    home: Home

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SWITCHBOARD_HOME": str(self.home.root), "COLUMNS": "200"}

    def command(
        self, *arguments: str, timeout: float = 120, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [SWITCHBOARD, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd
        )

    def up(self, *options: str) -> str:
        done = self.command("up", "--detach", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def down(self) -> None:
        assert self.command("down").returncode == 0

    def status(self) -> dict[str, Any]:
        return json.loads(self.command("status", "--json").stdout)

    def functions(self) -> list[int]:
        """The pids of the functions' processes."""
        return [process.pid for process in processes.running_from(self.home.temporary)]

    def kill_functions(self) -> None:
        for pid in self.functions():
            os.kill(pid, signal.SIGKILL)

    def everything(self) -> list[str]:
        """Whatever runs for this home, told by its command line: nothing, after `down`."""
        found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in found.splitlines() if str(self.home.root) in line]

    def client(self) -> httpx.Client:
        state = self.home.read_state()
        bearer = {"Authorization": f"Bearer {state['token']}"}
        return httpx.Client(base_url=state["api"], headers=bearer, timeout=30, trust_env=False)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """With the dashboard, running from the first test that wants it to the last."""
    run = Run(Home(tmp_path_factory.mktemp("switchboard")))
    run.up()
    yield run
    run.down()
    assert run.everything() == []


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Run]:
    """A home that a test may treat as it likes; what it leaves running is stopped."""
    run = Run(Home(tmp_path / "home"))
    yield run
    run.down()
    assert run.everything() == []
