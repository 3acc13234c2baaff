"""The local cloud: started in reported steps, and stopped completely."""

import fcntl
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from infra import aws
from infra.database import migrate
from infra.deployment import package, template
from infra.deployment.deploy import STACK, Deployment, Outputs
from infra.errors import InfraError
from infra.home import Home, State
from infra.local import ministack, postgres
from infra.local.ministack import MiniStack
from infra.local.postgres import Postgres
from infra.local.redis import Redis
from infra.local.schedule import Schedule
from infra.machine import ports, processes, rotation
from infra.toolchain import dashboard
from shared.adapters.auth import tokens

SAMPLES = [Path(migrate.__file__).with_name(name) for name in ("sample.sql", "sample_shift.sql")]
# Tried first, so that a bookmark stays valid after `make clean`. None is MiniStack's default port.
FIRST_PORTS = {"postgres": 15432, "redis": 16379, "aws": 14566}
TOKEN_SECONDS = 90 * 24 * 3600.0
ALIVE_SECONDS = 60
# Each concurrent invocation is a process here. Many more than cores slow each other down until callers time out.
CONCURRENCY = {"IngestConcurrency": "8", "ReadConcurrency": "6", "SocketConcurrency": "6"}
# The exceptions of a start in which a part fails.
FAILURES = (InfraError, psycopg.Error, BotoCoreError, ClientError, OSError)
Report = Callable[[str, float], None]
"""Gets each completed step and its duration in seconds."""


@dataclass
class LocalCloud:
    home: Home
    report: Report = lambda _text, _seconds: None
    with_dashboard: bool = True
    state: State = field(default_factory=dict[str, object])

    # --- start and stop ---

    def start(self) -> None:
        """Start everything and save its addresses. Processes that a killed run left are stopped first."""
        stop(self.home)
        self.home.create()
        rotation.begin(self.home.function_log)
        kept = self.home.read_state().get("ports", {})
        claimed = {name: ports.claim(kept.get(name), first) for name, first in FIRST_PORTS.items()}
        self.state = {
            "ports": claimed,
            "processes": {},
            "owner": processes.identity(os.getpid()),
            "aws_credentials": aws.emulator_credentials(secrets.token_urlsafe(32)),
        }
        self._save()
        with ThreadPoolExecutor(1) as background:
            page = background.submit(self._timed, dashboard.build if self.with_dashboard else lambda: False)
            self._servers()
            built, seconds = page.result()
        if self.with_dashboard:
            self.report("Dashboard built" if built else "Dashboard as built before", seconds)
        self._deploy()
        with self._step("Sweep and relay running"):
            self._await_functions()
        self.state["ready"] = True
        self._save()

    def restart(self, name: str) -> None:
        """Start a server that ended, at its previous address."""
        self.state |= self.home.read_state()  # other processes change it, such as the token after a key rotation
        server = {"postgres": self.postgres, "redis": self.redis, "aws": self.ministack}[name]
        server.start()
        self._note(name, server)
        if name == "aws":
            self.deploy()

    def deploy(self) -> Outputs:
        """Deploy the current checkout."""
        return Deployment(
            parameters={
                "DatabaseUrl": self.postgres.url,
                "RedisUrl": self.redis.url,
                "TokenKey": self.home.secret("token-key"),
                "EdgeUrl": self.ministack.url,
                **CONCURRENCY,
            },
            build=package.slim,
            endpoint_url=self.ministack.url,
            credentials=self.state["aws_credentials"],
        ).run()

    # --- the parts, wherever they run ---

    @property
    def postgres(self) -> Postgres:
        port = self.state["ports"]["postgres"]
        return Postgres(self.home.postgres, port, self.home.secret("database"), self.home.logs / "postgres.log")

    @property
    def redis(self) -> Redis:
        port, log = self.state["ports"]["redis"], self.home.logs / "redis.log"
        return Redis(port, self.home.root, log, self.home.secret("redis"))

    @property
    def ministack(self) -> MiniStack:
        secret = self.state["aws_credentials"]["aws_secret_access_key"]
        return MiniStack(self.state["ports"]["aws"], self.home, secret)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.postgres.url, self.ministack.url, self.state["aws_credentials"], self.home.died)

    # --- steps ---

    def _servers(self) -> None:
        server = self.postgres
        with self._step(f"Postgres 18 on port {server.port}"):
            server.start()
            self._note("postgres", server)
        with self._step("Schema and sample data"):
            migrate.migrate(server.url)
            for sample in SAMPLES:
                migrate.load(server.url, sample)
        with self._step(f"Redis on port {self.redis.port}"):
            server = self.redis
            server.start()
            self._note("redis", server)
        with self._step(f"MiniStack (API Gateway, Lambda, SQS, S3, schedules) on port {self.ministack.port}"):
            server = self.ministack
            server.start()
            self._note("aws", server)

    def _deploy(self) -> None:
        with self._step("template.yaml deployed through CloudFormation"):
            outputs = self.deploy()
        token = tokens.mint(self.home.secret("token-key"), role="admin", ttl_seconds=TOKEN_SECONDS)
        self.state |= {
            "api": outputs["Api"],
            "websocket": outputs["WebSocket"],
            "dashboard": f"{outputs['Dashboard']}#token={token}" if self.with_dashboard else None,
            "database": self.postgres.url,
            "redis": self.redis.url,
            "token": token,
            "aws": self.ministack.url,
            "queue": outputs["EventQueue"],
            "functions": sorted(template.function_names(template.load(), STACK)),
        }
        if self.state["dashboard"]:
            self.home.write_sign_in(self.state["dashboard"])

    def _await_functions(self) -> None:
        """Invoke sweep and relay until they run. A schedule first fires a minute after its deployment."""
        with self.schedule as schedule:
            deadline = time.monotonic() + ALIVE_SECONDS
            while missing := schedule.wake_the_missing():
                if time.monotonic() > deadline:
                    log = processes.tail(self.home.function_log)
                    raise InfraError(f"{' and '.join(sorted(missing))} did not start. The functions' log ends:\n{log}")
                time.sleep(0.1)

    # --- bookkeeping ---

    def _note(self, name: str, server: Postgres | Redis | MiniStack) -> None:
        assert server.process
        self.state["processes"][name] = processes.identity(server.process.pid)
        self._save()

    def _save(self) -> None:
        self.home.write_state(self.state)

    def _timed(self, work: Callable[[], bool]) -> tuple[bool, float]:
        started = time.monotonic()
        return work(), time.monotonic() - started

    @contextmanager
    def _step(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.report(text, time.monotonic() - started)


def stop(home: Home) -> bool:
    """Stop every process of the run, functions first and Postgres last. Returns whether there was any."""
    state = home.read_state()
    known = {name: processes.find(identity) for name, identity in state.get("processes", {}).items()}
    workers = processes.running_from(home.temporary)
    if edge := known.get("aws"):
        processes.stop(
            [edge], how=signal.SIGKILL
        )  # it stores nothing, and SIGTERM would wait for functions that run for a minute
    ministack.stop_workers(home)
    if cache := known.get("redis"):
        processes.stop([cache])
    if server := known.get("postgres"):
        processes.stop([server], how=postgres.STOP_SIGNAL)
    postgres.stop_leftover(home.postgres)
    home.sign_in.unlink(missing_ok=True)
    if state:
        home.write_state({"ports": state.get("ports", {})})
    return any(known.values()) or bool(workers)


def owner(home: Home) -> psutil.Process | None:
    """The process that keeps the local cloud running, if there is one."""
    return processes.find(home.read_state().get("owner"))


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """A second `up` waits for the first. The kernel frees the lock when its holder dies."""
    home.create()
    with rotation.open_private(home.root / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
