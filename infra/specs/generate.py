"""Write what is generated from the code, or say what differs: `python -m infra.specs.generate [--check]`."""

import sys
from collections.abc import Callable
from pathlib import Path

from infra.specs import asyncapi, call_states, schemas, typescript, vectors
from shared.contracts import openapi

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATED: dict[str, Callable[[], str]] = {
    "docs/asyncapi.json": asyncapi.document,
    "docs/openapi.json": lambda: openapi.document().decode() + "\n",
    "docs/call-states.md": call_states.document,
    "docs/switchboard.schema.json": schemas.document,
    "dashboard/src/contracts.ts": typescript.document,
    "dashboard/src/event-effects.ts": typescript.effects_document,
    **vectors.documents(),
}


def outdated() -> list[str]:
    """Files that differ from what the code gives."""
    return [name for name, make in GENERATED.items() if _read(REPOSITORY / name) != make()]


def write() -> list[str]:
    """Bring every file up to date; which were not."""
    changed = outdated()
    for name in changed:
        path = REPOSITORY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GENERATED[name]())
    return changed


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    changed = outdated() if arguments else write()
    for name in changed:
        sys.stdout.write(f"{name} {'differs: run python -m infra.specs.generate' if arguments else 'written'}\n")
    return int(bool(changed and arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
