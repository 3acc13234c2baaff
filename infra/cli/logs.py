"""logs: the functions' logs, for one call, one request, or failures."""

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
    call: Annotated[str | None, typer.Option(help="Only lines about this call, from all functions")] = None,
    trace: Annotated[
        str | None, typer.Option(help="Only lines of this request: its `Traceparent`, or the trace id in it")
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Only failures")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Also print new lines, until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as the functions wrote them")] = False,
    stack: Annotated[str | None, typer.Option(help="A stack on AWS  [default: the local run]")] = None,
    since_minutes: Annotated[float, typer.Option(min=0, help="With --stack: begin this many minutes ago")] = 60,
    region: Annotated[str, typer.Option(envvar="AWS_REGION")] = "us-east-1",
    endpoint_url: Annotated[str | None, typer.Option(envvar="AWS_ENDPOINT_URL")] = None,
) -> None:
    """Print the functions' logs. --call and --trace follow a call or a request through all functions."""
    wanted, stopping = Wanted(call, failures, _trace_id(trace)), threading.Event() if follow else None
    try:
        if stack:
            client = aws.client("logs", region, endpoint_url)
            begin = clock.now() - timedelta(minutes=since_minutes)
            _show(function_log.of_cloud(client, f"/{stack}/functions", begin, stopping, clock.now), wanted, as_json)
        else:
            _show(function_log.of_file(Home.current().function_log, stopping), wanted, as_json)
    except FileNotFoundError:
        fail("There is no local run here. Give a stack on AWS with --stack.")
    except (BotoCoreError, ClientError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _trace_id(text: str | None) -> str | None:
    traceparent = parse_traceparent(text)
    return trace_id(traceparent) if traceparent else text and text.strip().lower()


def _show(rows: Iterator[str], wanted: Wanted, as_json: bool) -> None:
    any_row = False
    for row in filter(wanted.matches, rows):
        any_row = True
        if as_json:
            print(row.partition("\t")[2], flush=True)  # noqa: T201 - output for programs
        else:
            console.print(render(row))
    if not any_row:
        errors.print("The log has no matching line.", style="yellow")
