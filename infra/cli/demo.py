"""demo: start the local cloud, open the dashboard, and simulate calls."""

import subprocess
import sys
import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from infra.cli.lifecycle import bring_up, down
from infra.cli.status import show
from infra.environment import environment
from infra.home import Home


def demo(
    calls_per_minute: Annotated[float, typer.Option(min=0.1, max=6000, help="Simulated calls a minute")] = 30,
) -> None:
    """Start the local cloud, open the dashboard, and simulate calls until Ctrl-C."""
    home = Home.current()
    started = bring_up(home, with_dashboard=True, detach=True)
    show(home)
    if has_screen() and home.sign_in.exists():
        webbrowser.open(
            home.sign_in.as_uri()
        )  # a file: every user can read the browser's command line, and the address has a token
    command = [sys.executable, "-P", "-m", "infra.cli", "simulate", "--calls-per-minute", str(calls_per_minute)]
    try:
        code = play(command)
    finally:
        if started:
            down()
    raise typer.Exit(code)


def play(command: list[str]) -> int:
    """Run the simulation and return its exit code. It gets Ctrl-C too: the first one ends its open calls."""
    with subprocess.Popen(command) as simulation:
        while True:
            with suppress(KeyboardInterrupt):
                return simulation.wait()


def has_screen() -> bool:
    """Whether a graphical browser can open. A text browser would take over the terminal."""
    return sys.platform == "darwin" or bool(environment().keys() & {"DISPLAY", "WAYLAND_DISPLAY"})
