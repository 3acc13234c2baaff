"""Runs uv, which comes with the environment, in the repository."""

import subprocess
import sys
from pathlib import Path

from infra.environment import environment
from infra.errors import InfraError

REPOSITORY = Path(__file__).resolve().parents[2]


def uv(*arguments: str, **variables: str) -> str:
    """What uv prints; `variables` are added to its environment. Raises `InfraError` with what it says of a failure."""
    beside = Path(sys.executable).with_name("uv")
    program = beside if beside.exists() else "uv"
    trusting = environment(UV_SYSTEM_CERTS="1", **variables)  # as infra/toolchain/bootstrap.sh does
    done = subprocess.run(
        [program, "-q", *arguments], cwd=REPOSITORY, env=trusting, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InfraError(f"uv {' '.join(arguments[:2])} failed:\n{done.stderr}")
    return done.stdout
