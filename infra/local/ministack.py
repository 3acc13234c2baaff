"""MiniStack: API Gateway, Lambda, SQS, S3, schedules and CloudFormation in one process on a loopback port."""

import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field

import httpx

from infra.deployment.deploy import STACK
from infra.home import KEY_ID, Home
from infra.local.control_plane import HEALTH_PATH
from infra.machine import processes
from infra.machine.ports import LOOPBACK

START_SECONDS = 90  # on a loaded machine its imports alone can take half a minute


@dataclass
class MiniStack:
    """One server without persistent state: a deployment follows each start."""

    port: int
    home: Home
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """The secret access key of AWS clients, which sign requests to the control plane with it."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        self._clear()
        log = self.home.logs / "ministack.log"
        self.process = processes.spawn(
            [sys.executable, "-P", "-m", "infra.local.ministack_server", self.home.function_log, self.home.died],
            log,
            BIND_HOST=LOOPBACK,
            MINISTACK_HOST=LOOPBACK,
            GATEWAY_PORT=str(self.port),
            # Set here, so that values of the user's environment do not reach the functions.
            AWS_ENDPOINT_URL=self.url,
            AWS_SECRET_ACCESS_KEY=self.secret,
            AWS_SESSION_TOKEN="",
            KNOWN_HOSTS="",
            SITE_BUCKET=f"{STACK}-dashboard-{KEY_ID}",
            PYTHONDONTWRITEBYTECODE="",  # without bytecode, a cold start takes twice the time
            TMPDIR=str(self.home.temporary),
            S3_DATA_DIR=str(self.home.temporary / "s3"),
            MINISTACK_WORKER_THREADS="256",  # each waiting request holds one
            PERSIST_STATE="0",
            SFTP_ENABLED="0",
            IOT_MTLS_ENABLED="0",
            LOG_LEVEL="WARNING",
        )
        processes.await_answer(self.process, "MiniStack", log, START_SECONDS, self.answers)

    def answers(self) -> bool:
        try:
            # There is no TLS here, and loading certificates takes long.
            return httpx.get(f"{self.url}{HEALTH_PATH}", timeout=2, trust_env=False, verify=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        processes.end(self.process, signal.SIGKILL)  # see cloud.stop
        stop_workers(self.home)

    def _clear(self) -> None:
        shutil.rmtree(self.home.temporary, ignore_errors=True)
        self.home.create()
        self.home.died.mkdir(mode=0o700, exist_ok=True)


def stop_workers(home: Home) -> None:
    """Stop function processes. They outlive their parent during an invocation."""
    processes.stop(processes.running_from(home.temporary))
