"""Make sure that the browser test has a browser: python -m infra.chromium"""

import os
import shutil
import subprocess

from infra.environment import environment

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str | None:
    """The browser's path. It is installed where that needs nobody's leave; where not, the test says what is missing."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = environment(DEBIAN_FRONTEND="noninteractive")
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
        subprocess.run(
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"], env=quiet, check=False
        )
    return find()


if __name__ == "__main__":
    ensure()
