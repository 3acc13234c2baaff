"""Bring a database to the newest schema: each file of infra/database/migrations once, in order, each in a transaction.

Not yoyo-migrations: its lock is a row that a killed run leaves behind, and it splits scripts by a parser of its own.
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
LOCK = 7_248_151_623  # any number, as long as nobody else takes it
GRANTS = Path(__file__).parent / "grants.sql"
# A statement that waits for a lock holds up everybody behind it: it gives up soon, and tries again when they have gone.
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
    """Apply what is missing and return its names. Several at once wait for each other."""
    with connections.connect(database_url) as connection:
        connection.execute("set lock_timeout = 0")  # another migration may take as long as it needs
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        connection.execute(TABLE)
        applied = dict(connection.execute("select name, checksum from schema_migrations").fetchall())
        scripts = sorted(folder.glob("*.sql"))
        _check(applied, {script.name: _checksum(script) for script in scripts})
        missing = [script for script in scripts if script.name not in applied]
        if applied:  # somebody may be at work
            locks.refuse(missing)
        connection.execute(SQL("set lock_timeout = {}").format(LOCK_TIMEOUT))
        for script in missing:
            _patiently(lambda script=script: _apply(connection, script), script.name, sleep)
        _patiently(lambda: grant(connection), GRANTS.name, sleep)
        return [script.name for script in missing]


def is_begun(database_url: str) -> bool:
    """Whether the database has had any migration."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection:
        found = connection.execute("select to_regclass('schema_migrations')").fetchone()
    return bool(found and found[0])


def grant(connection: psycopg.Connection) -> None:
    """What the roles of the packages may do, where there are any; in one transaction, so that no one is without."""
    connection.execute(GRANTS.read_bytes())


def missing(database_url: str, folder: Path = FOLDER) -> list[str]:
    """The names of what is not applied yet. Writes nothing. Raises `InfraError` where the database is ahead."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection:
        there = connection.execute("select to_regclass('schema_migrations')").fetchone()
        names = (
            connection.execute("select name, checksum from schema_migrations").fetchall() if there and there[0] else []
        )
    applied, known = dict(names), {script.name: _checksum(script) for script in sorted(folder.glob("*.sql"))}
    _check(applied, known)
    return [name for name in known if name not in applied]


def load(database_url: str, script: Path) -> None:
    """Run a script of sample data in a transaction."""
    with connections.connect(database_url) as connection, connection.transaction():
        connection.execute(script.read_bytes())


def _patiently(do: Callable[[], None], name: str, sleep: Callable[[float], None]) -> None:
    for pause in PAUSES_SECONDS:
        with suppress(LockNotAvailable):
            return do()
        sleep(pause)
    try:
        do()
    except LockNotAvailable as error:
        raise InfraError(
            f"{name} got no lock in {len(PAUSES_SECONDS) + 1} attempts, and changed nothing. "
            "Find who holds it in pg_stat_activity, or come again at a quieter time."
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
            raise InfraError(f"The database has had {name}, which this version does not know: deploy a newer one.")
        if known[name] != checksum:
            raise InfraError(f"{name} was changed after this database had it. Put it back and add a new migration; "
                                 "a local run may start afresh with `make clean`.")  # fmt: skip


def _checksum(script: Path) -> str:
    return hashlib.sha256(script.read_bytes()).hexdigest()
