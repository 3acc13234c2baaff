"""The switchboard command. Each subcommand's module is imported when it is called, so that each starts fast."""

from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from infra.home import in_checkout

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
# These build the functions and the dashboard from their sources, which an installed wheel does not contain.
NEEDS_CHECKOUT = {"up", "demo", "keep", "deploy", "publish"}


class Lazy(TyperGroup):
    """Lists commands by name and imports only the one that is called."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the interface of click
        return [name for name in MODULES if name not in HIDDEN]

    def get_command(self, ctx: object, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - typer keeps its click to itself
        if cmd_name not in MODULES:
            return None
        command = typer.Typer(add_completion=False)
        function = _function(cmd_name)
        lenient = {"ignore_unknown_options": True, "allow_extra_args": True}
        settings = lenient if function is _refuse_outside_checkout else {}
        command.command(cmd_name, context_settings=settings)(function)
        return get_command(command)


def _function(command: str) -> Any:  # noqa: ANN401 - whatever the command's options are
    if command in NEEDS_CHECKOUT and not in_checkout():
        return _refuse_outside_checkout
    return getattr(import_module(f"infra.cli.{MODULES[command]}"), command.replace("-", "_"))


def _print_version(wanted: bool) -> None:
    """Print the version of the installed package and exit, if `--version` is given."""
    if wanted:
        typer.echo(f"switchboard {metadata.version('switchboard')}")
        raise typer.Exit


def _refuse_outside_checkout(ctx: typer.Context) -> None:
    """Works only in a checkout of the repository."""
    typer.echo(
        f"`switchboard {ctx.info_name}` builds the functions and the dashboard from their sources, which an installed "
        "package does not contain. Clone the repository, and run the command there as .venv/bin/switchboard.",
        err=True,
    )
    raise typer.Exit(1)


app = typer.Typer(cls=Lazy, no_args_is_help=True)


@app.callback()
def switchboard(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Records call-centre events, watches their deadlines, and feeds live dashboards."""
