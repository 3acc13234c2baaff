"""The real LocalStack without Docker or an account, on Python 3.13: SQS, S3, SSM, schedules and more."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.errors import InfraError
from infra.machine import ports, processes
from infra.toolchain import pythons, tools

PYTHON = "3.13"
START_SECONDS = 90


@dataclass
class LocalStack:
    """One server that keeps nothing, with its files in `folder`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    def start(self) -> None:
        python = pythons.find(PYTHON)
        if not python:
            raise InfraError(f"LocalStack needs Python {PYTHON}, and there is none on this machine.")
        log = self.folder / "localstack.log"
        self.process = processes.spawn(
            [python, "-S", "-m", "localstack.runtime.main"],
            log,
            PYTHONPATH=str(tools.libraries("localstack", tools.LOCALSTACK, python)),
            GATEWAY_LISTEN=f"{ports.LOOPBACK}:{self.port}",
            FILESYSTEM_ROOT=str(self.folder),
            OVERRIDE_IN_DOCKER="0",  # a container that is not its own image looks like it
            DNS_ADDRESS="0",
            DISABLE_EVENTS="1",  # sends no usage data
            SKIP_SSL_CERT_DOWNLOAD="1",
        )
        processes.await_answer(self.process, "LocalStack", log, START_SECONDS, self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_localstack/health", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        if self.process:
            processes.end_group(self.process, signal.SIGKILL)
