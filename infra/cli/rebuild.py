"""rebuild: fold all calls anew from the log, count all sums and agents' time anew, and mend where wanted."""

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
    mend: Annotated[bool, typer.Option("--repair", help="Write what the log says over what differs")] = False,
    database_url: DatabaseOption = None,
) -> None:
    """Fold every call anew from its events, each month's figures from its calls, and each agent's time from both. Exits
    with 1 where any differs.
    """
    url = database(database_url)
    try:
        folded, found = _compare(url)
        for difference in found[:SHOWN]:
            console.print(_line(difference), markup=False)
        console.print(f"{folded} calls folded anew, {len(found)} differences.")
        if mend and found:
            console.print(f"{_repair(url, found)} calls repaired.")
        wrong = _sums(url, mend=mend) + _agents(url, mend=mend)
    except (DatabaseError, UnavailableError) as error:
        fail(str(error))
    raise typer.Exit(1 if found or wrong else 0)


def _compare(url: str) -> tuple[int, list[Difference]]:
    folded, found = 0, list[Difference]()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Folding", total=folding.count(url))
        for calls, differences in folding.compare(url):
            folded += calls
            found += differences
            progress.advance(task, calls)
    return folded, found


def _sums(url: str, *, mend: bool) -> int:
    """How many months' sums were wrong. After the calls, of which they are made."""
    with connections.connect(url) as connection, Progress(console=console, transient=True) as progress:
        months = rollups.months(connection)
        wrong = 0
        for month in progress.track(months, description="Counting"):
            if differing := rollups.differing(connection, month):
                console.print(f"{month.beginning:%Y-%m}: {differing} sums differ from the month's calls.")
                wrong += 1
                if mend:
                    rollups.rebuild(connection, month)
    console.print(f"{len(months)} months counted, {wrong} differ.")
    if mend and wrong:
        console.print(f"{wrong} months counted anew.")
    return wrong


def _agents(url: str, *, mend: bool) -> int:
    """How many agents' spans and months' sums of them were wrong."""
    database = connections.database(url)
    try:
        with Progress(console=console, transient=True) as progress:
            tried = progress.track(agent_time.compare(database, repair=mend), description="Following agents")
            wrong = {agent_id for found in tried for agent_id in found}
            months = agent_time.months(database)
            differing = [month for month in progress.track(months, description="Counting their time")
                         if agent_time.differing(database, month)]  # fmt: skip
        if mend:
            for month in differing:
                agent_time.rebuild(database, month)
    finally:
        database.close()
    for agent_id in sorted(wrong)[:SHOWN]:
        console.print(f"{agent_id}: the spans are not what the log says.", markup=False)
    console.print(f"{len(wrong)} agents' time differs, and the sums of {len(differing)} of its {len(months)} months.")
    if mend and (wrong or differing):
        console.print("Agents' time mended.")
    return len(wrong) + len(differing)


def _repair(url: str, found: list[Difference]) -> int:
    database = connections.database(url)
    try:
        transactions = PostgresTransactions(database)
        return sum(
            repair(transactions, call_id, clock.now()) for call_id in dict.fromkeys(each.call_id for each in found)
        )
    finally:
        database.close()


def _line(difference: Difference) -> str:
    return f"{difference.call_id}  {difference.what}: recorded {difference.recorded}, folded {difference.folded}"
