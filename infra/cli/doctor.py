"""doctor: health findings of a running system, with remedies."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from infra.cli.address import ApiOption, DatabaseOption, TokenOption, WebsocketOption, locate
from infra.home import Home
from infra.operation.doctor import Finding, Health, System, examine
from shared.adapters import clock

MARKS = {
    Health.WELL: ("✓", "green"),
    Health.WARN: ("!", "yellow"),
    Health.ILL: ("✗", "red"),
    Health.UNKNOWN: ("?", "dim"),
}

console = Console(highlight=False, soft_wrap=True)


def doctor(
    api: ApiOption = None,
    token: TokenOption = None,
    websocket: WebsocketOption = None,
    dashboard: Annotated[
        str | None, typer.Option(help="The dashboard's address", show_default="the local run's")
    ] = None,
    database_url: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs")] = False,
) -> None:
    """Examine a running system: each part, a real subscription, the dashboard, the clock, the token, the schema.

    Exits with 1 if a part has an error. Warnings and parts that were not examined do not count.
    """
    address = locate(api, token, websocket)
    state = {} if api else Home.current().read_state()
    system = System(
        address.api.rstrip("/"),
        address.token,
        address.websocket,
        dashboard or state.get("dashboard"),
        database_url or state.get("database"),
        is_local=not database_url,
    )
    ill = 0
    for finding in examine(system, clock.now):
        ill += finding.health is Health.ILL
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            console.print(line(finding))
    if not as_json:
        console.print(f"\n{ill} errors." if ill else "\nNo errors.", style="red" if ill else "green")
    raise typer.Exit(1 if ill else 0)


def line(finding: Finding) -> Text:
    mark, style = MARKS[finding.health]
    text = Text.assemble((f" {mark} ", style), (f"{finding.what:<12}", "bold"), finding.text)
    return text.append(f"\n{'':15}→ {finding.remedy}", style=style) if finding.remedy else text
