"""Stops the cloud of a test run that was killed: python -m tests.support.guard ALIVE_FILE HOME

It waits for the lock that the run's main process holds on ALIVE_FILE. A run that ends by itself has stopped its cloud
before. This module imports little, because a guard runs beside every test.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from infra.home import Home
from infra.machine import processes


def stop_when_released(alive: Path, home: Path) -> None:
    with alive.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if processes.find(Home(home).read_state().get("owner")):
            # The guard's own environment names the home.
            subprocess.run([Path(sys.executable).with_name("switchboard"), "down"], check=False)


if __name__ == "__main__":
    if os.fork():
        sys.exit()  # the test that started it goes on
    stop_when_released(Path(sys.argv[1]), Path(sys.argv[2]))
