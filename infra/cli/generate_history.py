"""generate-history: months of simulated calls, to test reading at size."""

import os
from typing import Annotated

import typer
from psycopg import Error as DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from infra.cli.address import DatabaseOption, database, fail
from infra.database import history
from infra.errors import InfraError
from shared.adapters import clock

console = Console(highlight=False, soft_wrap=True)


def generate_history(
    calls: Annotated[int, typer.Option(min=1, help="Number of calls")] = 100_000,
    months: Annotated[int, typer.Option(min=1, max=60, help="Number of months, up to the current one")] = 12,
    events_of_every: Annotated[
        int, typer.Option(min=1, help="One call in this many has events; the others have a call and figures only")
    ] = 50,
    jobs: Annotated[int, typer.Option(min=1, help="Months generated at the same time")] = os.cpu_count() or 1,
    database_url: DatabaseOption = None,
) -> None:
    """Fill an empty database with simulated calls: 40 queues, 12 languages, 1,000 agents, with figures."""
    url = database(database_url)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("Calls", total=calls)
            past = history.Past(calls, months, events_of_every, jobs)
            history.generate(url, past, clock.now(), lambda made: progress.advance(task, made))
    except (InfraError, DatabaseError) as error:
        fail(str(error))
