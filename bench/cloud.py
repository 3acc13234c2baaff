"""An embedded cloud of a measurement's own, started as a user starts it, in a folder that goes with it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.home import Home

SWITCHBOARD = Path(sys.executable).with_name("switchboard")


@dataclass(frozen=True)
class Cloud:
    home: Home
    status: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SWITCHBOARD_HOME": str(self.home.root)}  # noqa: TID251 - a child's environment


@contextmanager
def cloud() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory() as folder:
        started = Cloud(Home(Path(folder).resolve()), {})
        try:
            _run(started, "up", "--detach", "--no-dashboard")
            started.status.update(json.loads(_run(started, "status", "--json")))
            yield started
        finally:
            _run(started, "down")


def _run(cloud: Cloud, *arguments: str) -> str:
    done = subprocess.run([SWITCHBOARD, *arguments], env=cloud.environment, check=True, capture_output=True, text=True)
    return done.stdout
