"""Test vectors for clients of the feed: docs/feed.md describes the format, docs/feed-vectors/ has the files."""

import json
from collections.abc import Callable

from infra.specs.vectors import histories, polls, reads, views
from infra.specs.vectors.build import Json, Vector

FOLDER = "docs/feed-vectors"
VECTORS: tuple[Vector, ...] = (*views.VECTORS, *reads.VECTORS, *polls.VECTORS, *histories.VECTORS)


def documents() -> dict[str, Callable[[], str]]:
    """The files by their path in the repository, each with the function that makes its text."""
    return {f"{FOLDER}/{vector.name}.json": vector_text(vector) for vector in VECTORS}


def vector_text(vector: Vector) -> Callable[[], str]:
    """One step a line, so that differences can be read."""

    def text() -> str:
        head: Json = {"name": vector.name, "rule": vector.rule, "topics": list(vector.topics)}
        head |= {"concurrent": True} if vector.concurrent else {}
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
        steps = [f"    {json.dumps(step, separators=(',', ':'))}" for step in vector.steps]
        return "\n".join(["{", *lines, '  "steps": [', ",\n".join(steps), "  ]", "}"]) + "\n"

    return text
