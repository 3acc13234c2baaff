"""Joins use cases to adapters, lazily and once a process: an import costs nothing that a function does not use."""

from functools import cache

from shared.adapters.postgres.connection import Database
from shared.settings import settings


@cache
def database() -> Database:
    return Database(settings().database_url)
