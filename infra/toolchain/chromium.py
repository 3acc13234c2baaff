"""Make sure that the browser test has a browser: python -m infra.toolchain.chromium"""

import os
import shutil
import subprocess

import typer

from infra.environment import environment

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str | None:
    """The browser's path, or None. Root on Debian installs it."""
    if not find() and os.geteuid() == 0 and shutil.which("apt-get"):
        typer.echo("Installing Chromium for the browser tests …")
        _apt("update")
        _apt("install", "-y", "--no-install-recommends", "chromium")
    return find()


def _apt(*arguments: str) -> None:
    """Run apt-get without its output, except the end of a failure's."""
    command = ["apt-get", "-qq", *arguments]
    done = subprocess.run(
        command, env=environment(DEBIAN_FRONTEND="noninteractive"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        typer.echo(f"{' '.join(command)} failed:\n{done.stderr[-1000:] or done.stdout[-1000:]}")


if __name__ == "__main__":
    ensure()
