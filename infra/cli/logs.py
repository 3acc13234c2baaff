"""logs: what the functions wrote, one call followed through all of them, or what failed."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from infra import aws
from infra.cli.address import errors, fail
from infra.home import Home
from infra.local.logs import render
from infra.operation import function_log
from infra.operation.function_log import Wanted
from shared.adapters import clock
from shared.contracts.trace import parse_traceparent, trace_id

console = Console(highlight=False, soft_wrap=True)


def logs(
    call: Annotated[str | None, typer.Option(help="Only what concerns this call, in all functions")] = None,
    trace: Annotated[
        str | None, typer.Option(help="Only what belongs to this request: its `Traceparent`, or the trace's id in it")
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Only what failed")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written; Ctrl-C ends it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they were written")] = False,
    stack: Annotated[str | None, typer.Option(help="A stack's, on AWS  [default: the local run's]")] = None,
    since_minutes: Annotated[float, typer.Option(min=0, help="With --stack: how far back")] = 60,
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    endpoint_url: Annotated[str | None, typer.Option(envvar="AWS_ENDPOINT_URL")] = None,
) -> None:
    """Show what the functions wrote. With --call or --trace, a call's or a request's way through all of them."""
    wanted, stopping = Wanted(call, failures, _trace_id(trace)), threading.Event() if follow else None
    try:
        if stack:
            client = aws.client("logs", region, endpoint_url)
            begin = clock.now() - timedelta(minutes=since_minutes)
            _show(function_log.of_cloud(client, f"/{stack}/functions", begin, stopping, clock.now), wanted, as_json)
        else:
            _show(function_log.of_file(Home.current().function_log, stopping), wanted, as_json)
    except FileNotFoundError:
        fail("No Switchboard has run here. Name a stack on AWS with --stack.")
    except (BotoCoreError, ClientError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _trace_id(said: str | None) -> str | None:
    traceparent = parse_traceparent(said)
    return trace_id(traceparent) if traceparent else said and said.strip().lower()


def _show(rows: Iterator[str], wanted: Wanted, as_json: bool) -> None:
    found = False
    for row in filter(wanted.takes, rows):
        found = True
        if as_json:
            print(row.partition("\t")[2], flush=True)  # noqa: T201 - output for programs
        else:
            console.print(render(row))
    if not found:  # silence would leave open whether it was looked for
        errors.print("The log has no such line.", style="yellow")
