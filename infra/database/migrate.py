"""Brings a database to the current schema: applies each file of infra/database/migrations once, in order.

Each file runs in a transaction. yoyo-migrations is not used: its lock is a row that remains after a killed run, and it
splits scripts with a parser of its own.
"""

import hashlib
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import psycopg
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL

from infra.database import connections, locks
from infra.errors import InfraError
from shared.adapters import clock

FOLDER = Path(__file__).parent / "migrations"
CONNECT_SECONDS = 5
LOCK = 7_248_151_623  # an arbitrary number for the advisory lock of migrations
GRANTS = Path(__file__).parent / "grants.sql"
# A statement that waits for a lock blocks all later ones. So it gives up soon and is tried again after a pause.
LOCK_TIMEOUT = "2s"
PAUSES_SECONDS = (1, 2, 5, 10, 20)
TABLE = """
create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
);
comment on table schema_migrations is 'Migrations that this database has had. `switchboard migrate` writes it.';
comment on column schema_migrations.name is 'File name of the migration.';
comment on column schema_migrations.checksum is 'SHA-256 of the file, to refuse one that changed afterwards.';
comment on column schema_migrations.applied_at is 'When the migration was applied.';
"""


def migrate(database_url: str, folder: Path = FOLDER, sleep: Callable[[float], None] = clock.sleep) -> list[str]:
    """Apply missing migrations and return their names. Concurrent runs wait for each other."""
    with connections.connect(database_url) as connection:
        connection.execute("set lock_timeout = 0")  # wait for another run without a limit
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        connection.execute(TABLE)
        applied = dict(connection.execute("select name, checksum from schema_migrations").fetchall())
        scripts = sorted(folder.glob("*.sql"))
        _check(applied, {script.name: _checksum(script) for script in scripts})
        missing = [script for script in scripts if script.name not in applied]
        if applied:  # functions may be running
            locks.refuse(missing)
        connection.execute(SQL("set lock_timeout = {}").format(LOCK_TIMEOUT))
        for script in missing:
            _retry_locked(lambda script=script: _apply(connection, script), script.name, sleep)
        _retry_locked(lambda: grant(connection), GRANTS.name, sleep)
        return [script.name for script in missing]


def is_begun(database_url: str) -> bool:
    """Whether the database has had any migration."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection:
        row = connection.execute("select to_regclass('schema_migrations')").fetchone()
    return bool(row and row[0])


def grant(connection: psycopg.Connection) -> None:
    """Set the grants of the packages' roles, if these exist. One transaction, so that no role is without its grants."""
    connection.execute(GRANTS.read_bytes())


def missing(database_url: str, folder: Path = FOLDER) -> list[str]:
    """The names of migrations that are not applied yet. Raises `InfraError` if the database is ahead."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection:
        row = connection.execute("select to_regclass('schema_migrations')").fetchone()
        names = connection.execute("select name, checksum from schema_migrations").fetchall() if row and row[0] else []
    applied, known = dict(names), {script.name: _checksum(script) for script in sorted(folder.glob("*.sql"))}
    _check(applied, known)
    return [name for name in known if name not in applied]


def load(database_url: str, script: Path) -> None:
    """Run a script of sample data in a transaction."""
    with connections.connect(database_url) as connection, connection.transaction():
        connection.execute(script.read_bytes())


def _retry_locked(do: Callable[[], None], name: str, sleep: Callable[[float], None]) -> None:
    for pause in PAUSES_SECONDS:
        with suppress(LockNotAvailable):
            return do()
        sleep(pause)
    try:
        do()
    except LockNotAvailable as error:
        raise InfraError(
            f"{name} got no lock in {len(PAUSES_SECONDS) + 1} attempts, and changed nothing. "
            "Find the session that holds it in pg_stat_activity, or try again at a quieter time."
        ) from error


def _apply(connection: psycopg.Connection, script: Path) -> None:
    try:
        with nullcontext() if locks.is_alone(script) else connection.transaction():
            connection.execute(script.read_bytes())
            connection.execute(
                "insert into schema_migrations (name, checksum) values (%s, %s)", [script.name, _checksum(script)]
            )
    except LockNotAvailable:
        raise
    except psycopg.Error as error:
        raise InfraError(f"{script.name} failed and was rolled back: {error}") from error


def _check(applied: dict[str, str], known: dict[str, str]) -> None:
    for name, checksum in applied.items():
        if name not in known:
            raise InfraError(
                f"The database has the migration {name}, which this version does not know. Deploy a newer version; "
                "`make clean` resets a local database."
            )
        if known[name] != checksum:
            raise InfraError(f"{name} was changed after it was applied. Restore it and add a new migration; "
                                 "`make clean` resets a local database.")  # fmt: skip


def _checksum(script: Path) -> str:
    return hashlib.sha256(script.read_bytes()).hexdigest()
