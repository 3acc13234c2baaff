"""The switchboard command. Each subcommand's module is imported when it is called, so that each starts fast."""

from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

MODULES = {
    "up": "lifecycle",
    "demo": "demo",
    "keep": "lifecycle",
    "down": "lifecycle",
    "status": "status",
    "doctor": "doctor",
    "logs": "logs",
    "migrate": "deployment",
    "roles": "roles",
    "deploy": "deployment",
    "publish": "deployment",
    "simulate": "simulate",
    "replay": "replay",
    "send": "send",
    "tail": "tail",
    "dead-letters": "dead_letters",
    "token": "token",
    "rebuild": "rebuild",
    "backup": "backup",
    "restore": "backup",
    "generate-history": "generate_history",
}
HIDDEN = {"keep"}  # `up --detach` calls it


class Lazy(TyperGroup):
    """Knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the interface of click
        return [name for name in MODULES if name not in HIDDEN]

    def get_command(self, ctx: object, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - typer keeps its click to itself
        if cmd_name not in MODULES:
            return None
        command = typer.Typer(add_completion=False)
        command.command(cmd_name)(_function(cmd_name))
        return get_command(command)


def _function(command: str) -> Any:  # noqa: ANN401 - whatever the command's options are
    return getattr(import_module(f"infra.cli.{MODULES[command]}"), command.replace("-", "_"))


def _print_version(wanted: bool) -> None:
    """Print the version of the installed package and exit, if `--version` is given."""
    if wanted:
        typer.echo(f"switchboard {metadata.version('switchboard')}")
        raise typer.Exit


app = typer.Typer(cls=Lazy, no_args_is_help=True)


@app.callback()
def switchboard(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Call-centre events in safely, promises kept, the floor shown live."""
