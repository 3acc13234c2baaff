"""demo: everything at once, for somebody who wants to see it."""

import subprocess
import sys
import webbrowser
from typing import Annotated

import typer

from infra.cli.lifecycle import bring_up, down
from infra.cli.status import console, show
from infra.environment import environment
from infra.local.home import Home


def demo(calls_per_minute: Annotated[float, typer.Option(min=0.1, help="How busy the floor is")] = 30) -> None:
    """Start it, open the dashboard and play a live floor, until Ctrl-C."""
    home = Home.current()
    started = bring_up(home, with_dashboard=True, detach=True)
    state = home.read_state()
    show(state)
    if has_screen():
        webbrowser.open(state["dashboard"])
    command = [sys.executable, "-P", "-m", "infra.cli", "simulate", "--calls-per-minute", str(calls_per_minute)]
    try:
        subprocess.run(command, check=False)
    except KeyboardInterrupt:
        console.print()
    finally:
        if started:
            down()


def has_screen() -> bool:
    """A browser in a terminal would take the terminal."""
    return sys.platform == "darwin" or bool(environment().keys() & {"DISPLAY", "WAYLAND_DISPLAY"})
