"""Connections for maintenance: migrations, rebuilds and other commands whose statements may take minutes."""

from infra.environment import environment
from infra.errors import InfraError
from shared.adapters.postgres.connection import MAINTENANCE, Database, TimeoutConnection, Timeouts, open_connection

LIMIT = "MAINTENANCE_STATEMENT_SECONDS"


def timeouts() -> Timeouts:
    """MAINTENANCE, with the environment's limit for a statement if it has one. Raises `InfraError`."""
    value = environment().get(LIMIT)
    if not value:
        return MAINTENANCE
    seconds = int(value) if value.isdecimal() else 0
    if not seconds:
        raise InfraError(f"{LIMIT} is {value!r}. Give a whole number of seconds, at least 1.")
    return MAINTENANCE._replace(statement=seconds, round_trip=seconds + 60)


def connect(database_url: str) -> TimeoutConnection:
    """In autocommit mode. Raises `psycopg.Error` and `InfraError`."""
    return open_connection(database_url, timeouts())


def database(database_url: str) -> Database:
    """For the use cases of a sweep or a request, when a command runs them. Raises `InfraError`."""
    return Database(database_url, timeouts=timeouts(), plans_by_key=False)
