"""infra/database/schema.sql describes the database that the migrations build."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from infra.database import migrate
from infra.database.roles import make_roles, next_users
from infra.local.postgres import Postgres

SCHEMA = migrate.FOLDER.with_name("schema.sql")
CATALOGUE = Path(__file__).with_name("catalogue.sql")
# Primary keys are explained by their table; the other kinds need a comment each.
COMMENTED = {"relation", "column", "index", "trigger", "function"}


class Entry(NamedTuple):
    kind: str
    relation: str
    name: str | None
    definition: str
    grants: str | None
    comment: str | None


def catalogue(url: str) -> set[Entry]:
    with psycopg.connect(url) as connection:
        return {Entry(*row) for row in connection.execute(CATALOGUE.read_bytes())}


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[str]:
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("create database empty")
        yield postgres_server.url_of("empty")
        connection.execute("drop database empty with (force)")


@pytest.fixture
def described(empty_database: str) -> set[Entry]:
    """The catalogue that schema.sql and the grants give."""
    with psycopg.connect(empty_database) as connection:
        connection.execute(migrate.TABLE)
        connection.execute(SCHEMA.read_bytes())
    make_roles(empty_database, next_users({}))
    return catalogue(empty_database)


def test_migrations_build_what_the_schema_file_describes(database_url, described):
    make_roles(database_url, next_users({}))
    migrated = catalogue(database_url)
    assert sorted(map(str, migrated - described)) == sorted(map(str, described - migrated)) == []


def test_a_difference_of_a_later_migration_is_found(database_url, described):
    with psycopg.connect(database_url) as connection:
        connection.execute("alter table queues add column note text")
        connection.execute("comment on column queues.name is 'changed'")
    make_roles(database_url, next_users({}))
    changed = catalogue(database_url) - described
    assert {(entry.kind, entry.name) for entry in changed} == {("column", "note"), ("column", "name")}


def test_everything_in_the_schema_has_a_comment(described):
    missing = [entry for entry in described if entry.kind in COMMENTED and not entry.comment and not _is_implied(entry)]
    assert missing == []


def _is_implied(entry: Entry) -> bool:
    """Partitions repeat the columns and indexes of their table, and primary keys need no purpose."""
    table = entry.relation.split(".")[0]
    if entry.kind == "column":
        return table in ("calls_live", "calls_other", "events_other")
    return entry.kind == "index" and (table.endswith("_pkey") or table.startswith("events_other_"))
