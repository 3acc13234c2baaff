"""status: addresses and health of the local run."""

import json
import shlex
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from infra.home import Home, State
from infra.local import health

SHOWN = (
    *("api", "websocket", "dashboard", "database", "redis", "token", "aws", "aws_credentials", "queue"),
    *("functions", "processes"),
)
HIDDEN = "•••"
NEXT = """
Try: open the sign-in page in a browser, then in another terminal
  .venv/bin/switchboard simulate --calls-per-minute 8   simulated calls
  .venv/bin/switchboard send --example                   the events of one call
  .venv/bin/switchboard tail                             the feed of a client
"""

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs")] = False,
    as_shell: Annotated[
        bool, typer.Option("--shell", help="API, TOKEN, WEBSOCKET and DASHBOARD, for a shell's `eval`")
    ] = False,
    with_secrets: Annotated[bool, typer.Option("--secrets", help="Show passwords and tokens")] = False,
) -> None:
    """Show addresses and health. Exits with 1 if a part does not answer."""
    state = Home.current().read_state()
    parts = health.check(state)
    healthy = all(outcome == "ok" for outcome in parts.values())
    if as_json:
        typer.echo(
            json.dumps({name: state.get(name) for name in SHOWN} | {"healthy": healthy, "parts": parts}, indent=2)
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
        show(Home.current(), with_secrets)
        for name, outcome in parts.items():
            console.print(f"{name:>10}  [{'green' if outcome == 'ok' else 'red'}]{escape(outcome)}")
    raise typer.Exit(0 if healthy else 1)


def show(home: Home, with_secrets: bool = False) -> None:
    """Print the addresses. Secrets are hidden by default, because other people often see a terminal's text.

    The sign-in page is a file that only its owner can open.
    """
    for name, value in rows(home.read_state(), home.sign_in.as_uri(), with_secrets).items():
        console.print(f"[bold]{name:>10}[/]  {escape(value)}")
    console.print(NEXT)


def rows(state: State, sign_in: str, with_secrets: bool) -> dict[str, str]:
    """Return the labels and values that `show` prints. `sign_in` is the address of the page that signs in."""
    dashboard = state["dashboard"]
    values = {
        "Sign in": sign_in if dashboard else None,
        "Dashboard": dashboard if with_secrets or not dashboard else dashboard.partition("#")[0],
        "API": state["api"],
        "WebSocket": state["websocket"],
        "Database": state["database"] if with_secrets else without_password(state["database"]),
        "Token": state["token"] if with_secrets else f"{HIDDEN}  (`switchboard status --secrets` shows it)",
    }
    return {name: value or "left out" for name, value in values.items()}


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{HIDDEN}@{parts.hostname}:{parts.port}").geturl()
