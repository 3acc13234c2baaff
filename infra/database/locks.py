"""Refuse a migration that would hold up those who are at work: python -m infra.database.locks [FILE …]

Squawk reads it for locks that last as long as a table is large, and for what the code that still runs would miss.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.errors import InfraError

FOLDER = Path(__file__).parent / "migrations"
CONFIG = Path(__file__).with_name("squawk.toml")
# Those with a 0 in front are what the first release begins with: they meet empty tables, and nobody at work.
BEFORE_FIRST_RELEASE = "0"
# First line of a script that is one statement and runs in no transaction, as `create index concurrently` must.
ALONE = "-- in no transaction"


def is_alone(script: Path) -> bool:
    return script.read_text().startswith(ALONE)


def refuse(scripts: Sequence[Path]) -> None:
    """Raises `InfraError` with what is wrong, and what to write in its place."""
    said = [found for script in scripts if (found := _findings(script))]
    if said:
        raise InfraError("These would lock or break what is running:\n" + "\n".join(said))


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
