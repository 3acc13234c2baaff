"""Refuse migrations that would block or break running functions: python -m infra.database.locks [FILE …]

Squawk finds locks that last longer the larger a table is, and changes that break the code that still runs.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.errors import InfraError

FOLDER = Path(__file__).parent / "migrations"
CONFIG = Path(__file__).with_name("squawk.toml")
# Files that begin with 0 belong to the first release: they run on an empty database.
BEFORE_FIRST_RELEASE = "0"
# First line of a script with one statement that runs outside of a transaction, as `create index concurrently` must.
ALONE = "-- in no transaction"


def is_alone(script: Path) -> bool:
    return script.read_text().startswith(ALONE)


def refuse(scripts: Sequence[Path]) -> None:
    """Raises `InfraError` with the findings and the advice of Squawk."""
    findings = [found for script in scripts if (found := _findings(script))]
    if findings:
        raise InfraError("These would block or break running functions:\n" + "\n".join(findings))


def _findings(script: Path) -> str:
    if script.name.startswith(BEFORE_FIRST_RELEASE):
        return ""
    squawk = Path(sys.executable).with_name("squawk")
    assumed = [] if is_alone(script) else ["--assume-in-transaction"]
    command = [squawk, "--config", CONFIG, *assumed, "--reporter", "gcc", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def main(names: Sequence[str]) -> int:
    try:
        refuse([Path(name) for name in names] or sorted(FOLDER.glob("*.sql")))
    except InfraError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
