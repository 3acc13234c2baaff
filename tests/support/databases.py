"""Copies of a migrated database."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg

from infra.local.postgres import Postgres

_numbers = count()


@contextmanager
def copy_of(server: Postgres, template: str) -> Iterator[str]:
    """The address of a copy of a database. It is dropped at the end."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        # Copying files costs half as much as writing each page to the log.
        connection.execute(f"create database {name} template {template} strategy file_copy")  # type: ignore[arg-type]  # our name
        yield server.url_of(name)
        connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]  # our name
