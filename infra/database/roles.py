"""A Postgres role for each package, and its users. grants.sql lists what each role may do."""

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from infra.database.migrate import grant

PACKAGES = ("ingest", "query", "timers", "broadcast")  # packages that connect to Postgres
PASSWORD_BYTES = 32
Users = Mapping[str, tuple[str, str]]
"""User name and password by package."""


def role_of(package: str) -> str:
    return f"switchboard_{package}"


def next_users(urls: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Users with new passwords. The users of `urls` stay valid until the next change."""
    return {package: (_other(package, urls.get(package, "")), secrets.token_urlsafe(PASSWORD_BYTES))
            for package in PACKAGES}  # fmt: skip


def make_roles(database_url: str, users: Users) -> None:
    """Create missing roles, set their grants, and create a user in each. May be repeated.

    The user of the URL must own the schema and be able to create roles.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        for package, (name, password) in users.items():
            _ensure(connection, role_of(package), "nologin")
            _ensure(connection, name, "login")
            change = sql.SQL("alter role {} password {}").format(sql.Identifier(name), sql.Literal(password))
            connection.execute(change)
            member = sql.SQL("grant {} to {}").format(sql.Identifier(role_of(package)), sql.Identifier(name))
            connection.execute(member)
        grant(connection)


def urls_of(database_url: str, users: Users, host: str | None = None) -> dict[str, str]:
    """The URL of each package's user, at `host` (such as a proxy), or at the host of the database."""
    parts = urlsplit(database_url)
    address = host or parts.netloc.rpartition("@")[2]
    return {
        package: urlunsplit(parts._replace(netloc=f"{name}:{password}@{address}"))
        for package, (name, password) in users.items()
    }


def _other(package: str, url: str) -> str:
    first, second = f"{role_of(package)}_a", f"{role_of(package)}_b"
    return second if url and urlsplit(url).username == first else first


def _ensure(connection: psycopg.Connection, name: str, kind: str) -> None:
    if connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
        return
    connection.execute(sql.SQL("create role {} {}").format(sql.Identifier(name), sql.SQL(kind)))  # pyright: ignore[reportArgumentType] - one of two words above
