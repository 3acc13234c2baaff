"""roles: create a Postgres role and users for each package, and the secret with the functions' URLs."""

import json
from contextlib import suppress
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import Error as DatabaseError
from rich.console import Console

from infra import aws
from infra.cli.address import fail
from infra.database.roles import PACKAGES, make_roles, next_users, urls_of

console = Console(highlight=False, soft_wrap=True)


def roles(
    database_url: Annotated[str, typer.Option(envvar="DATABASE_URL", help="The owner's URL: postgresql://…")],
    secret: Annotated[str, typer.Option(help="The secret for the URLs: template.yaml's DatabaseSecret")],
    host: Annotated[
        str | None, typer.Option(help="host:port for the functions, such as RDS Proxy's  [default: the database's]")
    ] = None,
    users: Annotated[
        str | None, typer.Option(help="Take the users from the secrets PREFIX/ingest, … that data.template.yaml made")
    ] = None,
    tls: Annotated[
        str, typer.Option(help="The TLS parameters of the functions' connections, as in libpq")
    ] = "sslmode=require",
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    endpoint_url: Annotated[str | None, typer.Option(envvar="AWS_ENDPOINT_URL")] = None,
) -> None:
    """Give each package its own database role. Sets new passwords; the previous ones work until the next run."""
    client = aws.client("secretsmanager", region, endpoint_url)
    try:
        made = _given(client, users) if users else next_users(_read(client, secret))
        make_roles(database_url, made)
        urls = urls_of(f"{database_url.partition('?')[0]}?{tls}", made, host)
        _write(client, secret, urls)
    except (DatabaseError, BotoCoreError, ClientError) as error:
        fail(str(error))
    console.print(
        f"{', '.join(name for name, _ in made.values())}: {secret} has their URLs. The next deployment uses them."
    )


def _given(client: Any, prefix: str) -> dict[str, tuple[str, str]]:  # noqa: ANN401 - boto3 makes it when it runs
    found = {package: _read(client, f"{prefix}/{package}") for package in PACKAGES}
    return {package: (user["username"], user["password"]) for package, user in found.items()}


def _read(client: Any, name: str) -> dict[str, str]:  # noqa: ANN401 - as above
    with suppress(client.exceptions.ResourceNotFoundException):
        return json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return {}


def _write(client: Any, name: str, urls: dict[str, str]) -> None:  # noqa: ANN401 - as above
    text = json.dumps(urls)
    try:
        client.put_secret_value(SecretId=name, SecretString=text)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=text)
