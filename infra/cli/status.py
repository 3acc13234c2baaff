"""status: where the local run is, and whether it answers."""

import json
import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from infra.local import health
from infra.local.home import Home, State

TOLD = ("api", "websocket", "dashboard", "database", "redis", "token", "aws", "queue", "functions", "processes")
NEXT = """
Try: open the dashboard, then in another terminal
  .venv/bin/switchboard simulate --calls-per-minute 8   a live floor
  .venv/bin/switchboard send --example                   one call through its life
  .venv/bin/switchboard tail                             the feed, as a client sees it
"""

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs")] = False,
    as_shell: Annotated[
        bool, typer.Option("--shell", help="API, TOKEN, WEBSOCKET and DASHBOARD, for a shell's `eval`")
    ] = False,
) -> None:
    """Where everything is, and whether it answers. Exits with 1 where it does not."""
    state = Home.current().read_state()
    parts = health.check(state)
    healthy = all(outcome == "ok" for outcome in parts.values())
    if as_json:
        typer.echo(
            json.dumps({name: state.get(name) for name in TOLD} | {"healthy": healthy, "parts": parts}, indent=2)
        )
    elif not state.get("ready"):
        errors.print("Switchboard is not running. `switchboard up` starts it.")
    elif as_shell:
        values = {
            "API": state["api"],
            "TOKEN": state["token"],
            "WEBSOCKET": state["websocket"],
            "DASHBOARD": (state["dashboard"] or "").partition("#")[0],
        }
        typer.echo(" ".join(f"{name}={shlex.quote(value)}" for name, value in values.items()))
    else:
        show(state)
        for name, outcome in parts.items():
            console.print(f"{name:>10}  [{'green' if outcome == 'ok' else 'red'}]{escape(outcome)}")
    raise typer.Exit(0 if healthy else 1)


def show(state: State) -> None:
    rows = {
        "Dashboard": state["dashboard"],
        "API": state["api"],
        "WebSocket": state["websocket"],
        "Database": state["database"],
        "Token": state["token"],
    }
    for name, value in rows.items():
        console.print(f"[bold]{name:>10}[/]  {escape(value or 'left out')}")
    console.print(NEXT)
