"""Clouds that all tests of a run share, in whichever process of the run they are.

The first process that needs a cloud starts it; the others wait for a lock. The run's main process stops the
clouds when the run ends, also after a worker died. If the main process itself is killed, a guard stops them.
"""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from infra.home import Home
from infra.machine import processes
from tests.support.cloud import Cloud

FOLDER = "clouds"
STOP_SECONDS = 300.0


def is_main(config: pytest.Config) -> bool:
    """Whether this process is the run's main one, and not a worker of pytest-xdist."""
    return not hasattr(config, "workerinput")


def folder_of(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """The folder of the run's clouds, the same in each of its processes."""
    base = factory.getbasetemp()
    folder = (base if is_main(config) else base.parent) / FOLDER  # pytest-xdist gives each worker a subfolder
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name alone. The kernel frees it when its holder ends, however it ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hold(folder: Path) -> TextIO:
    """Show the guards that the run lives, for as long as the returned file is open. For the main process."""
    alive = (folder / "alive").open("w")
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive


@contextmanager
def running(folder: Path, name: str, **variables: str) -> Iterator[Cloud]:
    """The run's cloud of this name; started with these variables in its environment if it does not run."""
    cloud = Cloud(folder / name, variables)
    with locked(folder / f"{name}.starting"):
        if not cloud.is_up():
            _guard(folder, cloud)
            cloud.up()
    try:
        yield cloud
    finally:
        cloud.close()


def stop(folder: Path, name: str) -> None:
    """Stop the run's cloud of this name, if it runs, and wait for its end."""
    with locked(folder / f"{name}.starting"):
        if owner := processes.find(Home(folder / name).read_state().get("owner")):
            processes.stop([owner], STOP_SECONDS)  # it stops the rest as it ends


def stop_all(folder: Path) -> list[str]:
    """Stop the run's clouds. Returns the command lines of the processes that still run afterwards."""
    homes = [home for home in folder.iterdir() if home.is_dir()]
    for home in homes:
        stop(folder, home.name)
    return [line for home in homes for line in Cloud(home).running() if "tests.support.guard" not in line]


def _guard(folder: Path, cloud: Cloud) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "tests.support.guard", str(folder / "alive"), str(cloud.home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
        env=cloud.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
