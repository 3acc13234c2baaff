"""backup, restore: copy the database to a file, and restore it."""

from pathlib import Path
from typing import Annotated

import typer
from psycopg import Error as DatabaseError
from rich.console import Console

from infra.cli.address import DatabaseOption, database, fail
from infra.errors import InfraError
from infra.operation import backup as copying

MB = 2**20
NEXT = """Next, before senders and clients connect:
  switchboard rebuild --database-url …   checks all calls and figures
  switchboard roles --database-url …     if each package has its own database role
Senders can repeat everything that they sent since the copy was made. Recorded events are not recorded twice."""

console = Console(highlight=False, soft_wrap=True)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it, such as floor.dump")],
    database_url: DatabaseOption = None,
) -> None:
    """Copy the database to a file while the system runs."""
    url = database(database_url)
    try:
        with console.status("Copying …") as shown:
            size = copying.back_up(url, file, lambda size: shown.update(f"Copying … {size / MB:.1f} MB"))
    except (InfraError, DatabaseError, OSError) as error:
        fail(str(error))
    console.print(f"{file}: {size / MB:.1f} MB. It contains callers' data: protect it like the database.")


def restore(
    database_url: Annotated[str, typer.Option(envvar="DATABASE_URL", help="postgresql://…, the one to restore")],
    file: Annotated[
        Path | None, typer.Argument(help="A file from `backup`. Without it: the database was restored by other means")
    ] = None,
) -> None:
    """Restore a copy into an empty database, or prepare one that was restored by other means."""
    try:
        with console.status("Restoring …"):
            if file:
                copying.restore(database_url, file)
            else:
                copying.begin_new_epoch(database_url)
    except (InfraError, DatabaseError) as error:
        fail(str(error))
    console.print("Restored. Clients that connect again read a new snapshot.")
    console.print(NEXT)
