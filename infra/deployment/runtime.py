"""Lambda's own runtime without Docker: AWS's runtime interface client and emulator, around a function's package."""

import json
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from infra.deployment import package, template
from infra.machine import ports, processes
from infra.toolchain import pythons, tools

ARCHITECTURE = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "arm64"
WANTED = template.load()["Globals"]["Function"]["Runtime"].removeprefix("python")
START_SECONDS = 60
PATH = "2015-03-31/functions/function/invocations"


def interpreter() -> tuple[Path, str]:
    """The template's Python where this machine has it, else the one at hand, and its version."""
    if found := pythons.find(WANTED):
        return found, WANTED
    return Path(sys.executable), f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Runtime:
    """One function at work, as `with Runtime(handler, environment) as function: function.invoke(event)`."""

    handler: str
    environment: dict[str, str]
    log: Path
    timeout_seconds: int = 30
    _port: int = 0
    _api_port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        python, version = interpreter()
        name = template.package_of(self.handler)
        folder = package.complete(name, package.Target(ARCHITECTURE, version))
        client = tools.libraries("runtime-client", tools.RUNTIME_CLIENT, python)
        emulator = tools.libraries("sam", tools.SAM, python) / f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
        self._port, self._api_port = ports.claim(), ports.claim()
        # No site packages, and nothing of this process's environment: what is missing in the package is missing.
        self._process = processes.spawn(
            [emulator, "--runtime-interface-emulator-address", f"{ports.LOOPBACK}:{self._port}",
             "--runtime-api-address", f"{ports.LOOPBACK}:{self._api_port}", python, "-S", "-m", "awslambdaric",
             self.handler],
            self.log,
            only=self._variables(folder, client),
        )  # fmt: skip
        processes.await_answer(
            self._process, f"The emulator of {self.handler}", self.log, START_SECONDS, lambda: ports.answers(self._port)
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        processes.end_group(self._process, signal.SIGKILL)
        ports.release(self._port)
        ports.release(self._api_port)

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - whatever the handler answers
        url = f"http://{ports.LOOPBACK}:{self._port}/{PATH}"
        answer = httpx.post(url, content=json.dumps(event), timeout=self.timeout_seconds + 10, trust_env=False)
        return answer.json()

    def _variables(self, folder: Path, client: Path) -> dict[str, str]:
        """What Lambda gives a function beside what the template does."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **self.environment,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{folder}:{client}",
            "LAMBDA_TASK_ROOT": str(folder),
            "AWS_LAMBDA_FUNCTION_NAME": self.handler.rpartition(".")[2],
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_seconds),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
