"""migrate, deploy, publish: bring a database, a stack and the dashboard to this version."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Error as DatabaseError
from rich.console import Console
from rich.markup import escape

from infra.cli.address import DatabaseOption, database
from infra.database.migrate import migrate as apply_migrations
from infra.deployment import package
from infra.deployment.deploy import Deployment, Outputs
from infra.errors import InfraError
from infra.home import Home
from infra.local.cloud import LocalCloud
from infra.toolchain import dashboard, files

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def migrate(database_url: DatabaseOption = None) -> None:
    """Migrate a database to the newest schema."""
    url = database(database_url)
    try:
        applied = apply_migrations(url)
    except (InfraError, DatabaseError) as error:
        _fail(error)
    console.print(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")


def deploy(
    database_url: DatabaseOption = None,
    redis_url: Annotated[str | None, typer.Option(envvar="REDIS_URL")] = None,
    token_key: Annotated[str | None, typer.Option(envvar="TOKEN_KEY", help="At least 32 characters")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(envvar="AWS_ENDPOINT_URL", help="An emulator's address  [default: AWS]")
    ] = None,
    edge_url: Annotated[
        str | None, typer.Option(envvar="EDGE_URL", help="The emulator's address for browsers  [default: the same]")
    ] = None,
    stack: Annotated[str, typer.Option()] = "switchboard",
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    architecture: Annotated[str, typer.Option(envvar="ARCHITECTURE", help="arm64 or x86_64")] = "arm64",
    page: Annotated[
        Path | None, typer.Option(help="A folder that gets a copy of the dashboard, for your own web server")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="Another parameter of template.yaml, such as AlarmTopic=arn:aws:sns:…")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Deploy the checkout to the running local cloud")] = False,
) -> None:
    """Package the functions, deploy template.yaml through CloudFormation, publish the dashboard."""
    try:
        if local:
            dashboard.build()
            _show(_running("Start it with `switchboard up`").deploy())
            return
        given = {
            "DatabaseUrl": database_url,
            "RedisUrl": redis_url,
            "TokenKey": token_key,
            "Architecture": architecture,
        }
        parameters = _parameters(given, parameter or [])
        if endpoint_url:
            parameters["EdgeUrl"] = edge_url or endpoint_url
        dashboard.build()
        target = package.Target(architecture)
        deployment = Deployment(parameters, lambda name: _archive(name, target), stack, region, endpoint_url, page=page)
        _show(deployment.run())
    except (InfraError, BotoCoreError, ClientError) as error:
        _fail(error)


def publish(
    stack: Annotated[str, typer.Option()] = "switchboard",
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    endpoint_url: Annotated[str | None, typer.Option(envvar="AWS_ENDPOINT_URL")] = None,
) -> None:
    """Publish the dashboard of an existing stack, such as after `sam deploy`."""
    try:
        dashboard.build()
        _show(Deployment({}, lambda _name: Path(), stack, region, endpoint_url).publish())
    except (InfraError, BotoCoreError, ClientError) as error:
        _fail(error)


def _archive(name: str, target: package.Target) -> Path:
    folder = package.complete(name, target)
    return files.zip_folder(folder, folder.with_suffix(".zip"))


def _parameters(given: dict[str, str | None], others: list[str]) -> dict[str, str]:
    """The template's parameters. Raises `InfraError` if a required one is missing."""
    parameters = {name: value for name, value in given.items() if value} | dict(_pair(other) for other in others)
    for alternatives in (("DatabaseUrl", "DatabaseSecret"), ("RedisUrl",), ("TokenKey", "TokenKeyName")):
        if not any(parameters.get(name) for name in alternatives):
            raise InfraError(f"Missing: {' or '.join(alternatives)}. See `switchboard deploy --help`, or use --local.")
    return parameters


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InfraError(f"--parameter {text}: write NAME=VALUE.")
    return name, value


def _running(otherwise: str) -> LocalCloud:
    home = Home.current()
    state = home.read_state()
    if not state.get("ready"):
        _fail(InfraError(f"Switchboard is not running here. {otherwise}."))
    return LocalCloud(home, state=state)


def _show(outputs: Outputs) -> None:
    for name, value in outputs.items():
        console.print(f"[bold]{name:>16}[/]  {escape(value)}")


def _fail(error: Exception) -> NoReturn:
    errors.print(f"[red]{escape(str(error))}")
    raise typer.Exit(1) from None
