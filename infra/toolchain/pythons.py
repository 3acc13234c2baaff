"""Find a Python of a certain version on this machine. Lambda's own may be another than the one that runs this."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from infra.environment import environment


@cache
def find(version: str) -> Path | None:
    """An interpreter of `version`, such as 3.13, wherever people keep them; None where there is none.

    Not `uv python find`: it gives up at the first program on the path that does not run, such as a shim.
    """
    pyenv = Path(environment().get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    managed = Path.home() / ".local" / "share" / "uv" / "python"
    named = shutil.which(f"python{version}")
    candidates = [
        Path(sys.executable),
        *([Path(named)] if named else []),
        *sorted(pyenv.glob(f"{version}.*/bin/python")),
        *sorted(managed.glob(f"cpython-{version}.*/bin/python")),
    ]
    return next((candidate for candidate in candidates if _version(candidate) == version), None)


def _version(python: Path) -> str | None:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
