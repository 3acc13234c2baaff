"""rebuild: compare calls, rollups and agent time with the event log, and repair them if requested."""

from typing import Annotated

import typer
from psycopg import Error as DatabaseError
from rich.console import Console
from rich.progress import Progress

from infra.cli.address import DatabaseOption, database, fail
from infra.database import agent_time, connections, rollups
from infra.database import rebuild as folding
from shared.adapters import clock
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.usecases.errors import UnavailableError
from shared.usecases.recording.rebuild_call import Difference, repair

SHOWN = 50

console = Console(highlight=False, soft_wrap=True)


def rebuild(
    repairs: Annotated[bool, typer.Option("--repair", help="Replace what differs by the result of the log")] = False,
    database_url: DatabaseOption = None,
) -> None:
    """Compute calls from their events, rollups from calls, and agent time from both. Exits with 1 if any differs."""
    url = database(database_url)
    try:
        count, differences = _compare(url)
        for difference in differences[:SHOWN]:
            console.print(_line(difference), markup=False)
        console.print(f"{count} calls compared, {len(differences)} differences.")
        if repairs and differences:
            console.print(f"{_repair(url, differences)} calls repaired.")
        wrong = _rollups(url, repairs=repairs) + _agents(url, repairs=repairs)
    except (DatabaseError, UnavailableError) as error:
        fail(str(error))
    raise typer.Exit(1 if differences or wrong else 0)


def _compare(url: str) -> tuple[int, list[Difference]]:
    count, differences = 0, list[Difference]()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Comparing calls", total=folding.count(url))
        for calls, found in folding.compare(url):
            count += calls
            differences += found
            progress.advance(task, calls)
    return count, differences


def _rollups(url: str, *, repairs: bool) -> int:
    """The number of months with wrong rollups. Run this after the calls are repaired."""
    with connections.connect(url) as connection, Progress(console=console, transient=True) as progress:
        months = rollups.months(connection)
        wrong = 0
        for month in progress.track(months, description="Comparing rollups"):
            if differing := rollups.differing(connection, month):
                console.print(f"{month.beginning:%Y-%m}: {differing} rollups differ from the month's calls.")
                wrong += 1

                if repairs:
                    rollups.rebuild(connection, month)
    console.print(f"{len(months)} months compared, {wrong} differ.")
    if repairs and wrong:
        console.print(f"{wrong} months repaired.")
    return wrong


def _agents(url: str, *, repairs: bool) -> int:
    """The number of agents with wrong intervals, plus the number of months with wrong sums of them."""
    database = connections.database(url)
    try:
        with Progress(console=console, transient=True) as progress:
            tried = progress.track(agent_time.compare(database, repair=repairs), description="Comparing agents")
            wrong = {agent_id for found in tried for agent_id in found}
            months = agent_time.months(database)
            differing = [month for month in progress.track(months, description="Comparing their sums")
                         if agent_time.differing(database, month)]  # fmt: skip

        if repairs:
            for month in differing:
                agent_time.rebuild(database, month)
    finally:
        database.close()
    for agent_id in sorted(wrong)[:SHOWN]:
        console.print(f"{agent_id}: the intervals differ from the log.", markup=False)
    console.print(f"{len(wrong)} agents differ, and the sums of {len(differing)} of {len(months)} months.")
    if repairs and (wrong or differing):
        console.print("Agent time repaired.")
    return len(wrong) + len(differing)


def _repair(url: str, differences: list[Difference]) -> int:
    database = connections.database(url)
    try:
        transactions = PostgresTransactions(database)
        return sum(
            repair(transactions, call_id, clock.now())
            for call_id in dict.fromkeys(each.call_id for each in differences)
        )
    finally:
        database.close()


def _line(difference: Difference) -> str:
    return f"{difference.call_id}  {difference.what}: recorded {difference.recorded}, from the log {difference.folded}"
