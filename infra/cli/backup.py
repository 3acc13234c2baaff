"""backup, restore: the system of record, to a file and back."""

from pathlib import Path
from typing import Annotated

import typer
from psycopg import Error as DatabaseError
from rich.console import Console

from infra.cli.address import DatabaseOption, database, fail
from infra.errors import InfraError
from infra.operation import backup as copying

MB = 2**20
NEXT = """Next, before senders and clients come back:
  switchboard rebuild --database-url …   folds all calls anew and finds no difference
  switchboard roles --database-url …     where each package has a role of its own
What was sent since the copy was made: let senders send it again. What is on record already is not doubled."""

console = Console(highlight=False, soft_wrap=True)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it, such as floor.dump")],
    database_url: DatabaseOption = None,
) -> None:
    """Copy the system of record to a file, while everybody works."""
    url = database(database_url)
    try:
        with console.status("Copying …") as shown:
            size = copying.back_up(url, file, lambda size: shown.update(f"Copying … {size / MB:.1f} MB"))
    except (InfraError, DatabaseError, OSError) as error:
        fail(str(error))
    console.print(f"{file}: {size / MB:.1f} MB. It holds what callers told: keep it as the database is kept.")


def restore(
    database_url: Annotated[str, typer.Option(envvar="DATABASE_URL", help="postgresql://…, the one to restore")],
    file: Annotated[
        Path | None, typer.Argument(help="What `backup` wrote. Without it: the database was restored by other means")
    ] = None,
) -> None:
    """Bring a copy back to an empty database; or tell one that it was restored by other means."""
    try:
        with console.status("Restoring …"):
            if file:
                copying.restore(database_url, file)
            else:
                copying.begin_new_epoch(database_url)
    except (InfraError, DatabaseError) as error:
        fail(str(error))
    console.print("Restored: clients who come back read the floor anew.")
    console.print(NEXT)
