"""Copies the database to a file while functions are running, and restores it."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import which

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infra.database import connections, migrate
from infra.environment import environment
from infra.errors import InfraError
from infra.local import postgres

RESTORED = Path(__file__).parent / "restored.sql"
PROGRESS_SECONDS = 0.2
# The programs set no limit for a statement, because large tables take long.
KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "tcp_user_timeout": "30000"}
# Environment variables instead of arguments, because other users of the machine can list arguments.
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


def back_up(database_url: str, file: Path, progress: Callable[[int], None]) -> int:
    """Write a compressed copy that only its owner can read. Returns its size in bytes.

    `progress` is called with the number of bytes so far. Raises `InfraError`, and leaves no file, if the copy fails.
    """
    if file.is_dir():  # checked before the copy begins
        raise InfraError(f"{file} is a folder: name a file in it.")
    if not file.parent.is_dir():
        raise InfraError(f"There is no folder {file.parent}.")
    draft = file.with_name(f"{file.name}.part")
    draft.touch(mode=0o600)
    try:
        _run(
            ["pg_dump", "--format=custom", f"--file={draft}", _to(database_url)],
            database_url,
            lambda: progress(draft.stat().st_size),
        )
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    return file.stat().st_size


def restore(database_url: str, file: Path) -> None:
    """Restore a copy into an empty database and migrate it to this version. Raises `InfraError`.

    A copy contains no roles: run `switchboard roles` afterwards.
    """
    if not file.is_file():
        raise InfraError(f"There is no {file}.")
    if migrate.is_begun(database_url):
        raise InfraError("The database is not empty. Make a new one (`create database`), and restore into that.")
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", _to(database_url)]
    _run(["pg_restore", *options, str(file)], database_url, lambda: None)
    migrate.migrate(database_url)
    begin_new_epoch(database_url)


def begin_new_epoch(database_url: str) -> None:
    """Prepare a database after a restore from a file or a snapshot, or to a point in time."""
    with connections.connect(database_url) as connection, connection.transaction():
        connection.execute(RESTORED.read_bytes())


def _run(command: list[str], database_url: str, report: Callable[[], None]) -> None:
    program, *arguments = command
    variables = environment(**_variables(database_url))
    with subprocess.Popen(
        [_program(program), *arguments], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while True:
            try:
                _, errors = process.communicate(timeout=PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                report()
            else:
                break
    if process.returncode:
        raise InfraError(f"{program} failed, and nothing was changed:\n{errors.strip()}")


def _to(database_url: str) -> str:
    """The argument that names the database, without a password. A vanished server ends the program in a minute."""
    name = conninfo_to_dict(database_url).get("dbname")
    return f"--dbname={make_conninfo(dbname=name, **KEEPALIVES)}"


def _program(name: str) -> Path | str:
    """The program of the checkout's Postgres 18, which reads older servers too; without a checkout, the machine's."""
    with suppress(InfraError):  # where the wheel of Postgres is not installed
        if (program := postgres.binaries() / name).exists():
            return program
    if found := which(name):
        return found
    raise InfraError(f"{name} is missing: install Postgres 18's client programs.")


def _variables(database_url: str) -> Mapping[str, str]:
    parts = conninfo_to_dict(database_url)
    return {variable: str(parts[name]) for name, variable in VARIABLES.items() if parts.get(name)}
