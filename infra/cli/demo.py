"""demo: everything at once, for somebody who wants to see it."""

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
    calls_per_minute: Annotated[float, typer.Option(min=0.1, max=6000, help="How busy the floor is")] = 30,
) -> None:
    """Start it, open the dashboard and play a live floor, until Ctrl-C."""
    home = Home.current()
    started = bring_up(home, with_dashboard=True, detach=True)
    show(home)
    if has_screen() and home.sign_in.exists():
        webbrowser.open(home.sign_in.as_uri())  # and not its address: every user can read a browser's command line
    command = [sys.executable, "-P", "-m", "infra.cli", "simulate", "--calls-per-minute", str(calls_per_minute)]
    try:
        code = play(command)
    finally:
        if started:
            down()
    raise typer.Exit(code)


def play(command: list[str]) -> int:
    """To its end. Ctrl-C reaches it as well: at the first it ends the calls that are open, at the second it leaves."""
    with subprocess.Popen(command) as floor:
        while True:
            with suppress(KeyboardInterrupt):
                return floor.wait()


def has_screen() -> bool:
    """A browser in a terminal would take the terminal."""
    return sys.platform == "darwin" or bool(environment().keys() & {"DISPLAY", "WAYLAND_DISPLAY"})
