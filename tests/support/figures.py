"""Figures as the API returns them."""

from typing import Any

import orjson

from shared.adapters.postgres.figures.read_figures import PostgresFigures
from shared.usecases.access import Principal
from shared.usecases.reading.figures import show_metrics
from tests.support.harness import Harness

ADMIN = Principal("admin", frozenset("*"), 0)


def figures(harness: Harness, *, rolled: bool, **asked: str) -> list[dict[str, Any]]:
    found = show_metrics(PostgresFigures(harness.database, rolled=rolled), ADMIN, asked, harness.clock.now())
    return orjson.loads(orjson.dumps(found["data"]))
