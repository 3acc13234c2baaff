"""doctor: what ails a running system, and what to do."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from infra.cli.address import ApiOption, DatabaseOption, TokenOption, WebsocketOption, locate
from infra.home import Home
from infra.operation.doctor import Finding, Health, Patient, examine
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
    dashboard: Annotated[str | None, typer.Option(help="The page's address", show_default="the local run's")] = None,
    database_url: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs")] = False,
) -> None:
    """Examine a running system: each part, a real subscription, the page, the clock, the token, the schema.

    Exits with 1 where something is ill; a warning or what could not be examined is none.
    """
    address = locate(api, token, websocket)
    state = {} if api else Home.current().read_state()
    patient = Patient(
        address.api.rstrip("/"),
        address.token,
        address.websocket,
        dashboard or state.get("dashboard"),
        database_url or state.get("database"),
        is_local=not database_url,
    )
    ill = 0
    for finding in examine(patient, clock.now):
        ill += finding.health is Health.ILL
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            console.print(line(finding))
    if not as_json:
        console.print(f"\n{ill} ill." if ill else "\nNothing is ill.", style="red" if ill else "green")
    raise typer.Exit(1 if ill else 0)


def line(finding: Finding) -> Text:
    mark, style = MARKS[finding.health]
    text = Text.assemble((f" {mark} ", style), (f"{finding.what:<12}", "bold"), finding.said)
    return text.append(f"\n{'':15}→ {finding.remedy}", style=style) if finding.remedy else text
