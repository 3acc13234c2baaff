"""Build what each function's Lambda package contains: its locked dependencies, its own module, and shared/.

`sam build` comes here as well: python -m infra.deployment.package IngestFunction ARTIFACTS_DIR
"""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.deployment import template
from infra.errors import InfraError
from infra.toolchain import pythons
from infra.toolchain.files import BUILD, files_in, replace_older, zip_folder
from infra.toolchain.uv import REPOSITORY, uv

NAMES = ("ingest", "query", "timers", "broadcast", "authorizer")
# The only service that the functions call through botocore. Its descriptions of all the others weigh 25 MB.
KEPT_SERVICES = {"lambda"}
# What Chalice's own packager ships; the rest of the distribution is its command line and that one's dependencies.
KEPT_CHALICE = {"__init__.py", "app.py"}
# Powertools beyond logs, metrics and traces: web frameworks, parsers and clients of services that are not used here.
KEPT_UTILITIES = {"__init__.py", "jmespath_utils"}
NEEDLESS = (
    *("bin", ".lock", "**/__pycache__", "**/tests", "aws_lambda_powertools/event_handler"),
    *("**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "**/py.typed", "**/.hash"),
    # Of what describes a distribution, only its name and version are read.
    "**/*.dist-info/[!M]*",
    # What is imported only by those who use it: the models of Pydantic 1, and zones that Python has of its own.
    *("pydantic/v1", "pydantic/mypy.py", "dateutil/zoneinfo/*.tar.gz"),
)


@dataclass(frozen=True)
class Target:
    """The machine that a package is for."""

    architecture: str = "arm64"
    python: str = "3.13"

    def __str__(self) -> str:
        return f"{self.architecture}-{self.python}"

    @property
    def platform(self) -> str:
        return {"arm64": "aarch64", "x86_64": "x86_64"}[self.architecture] + "-manylinux_2_28"


def complete(name: str, target: Target) -> Path:
    """A package with everything in it, for Lambda. Returns its folder."""
    dependencies = _dependencies(name, target)
    key = _digest(*sources(name), str(target), dependencies.name)
    folder = BUILD / "complete" / f"{name}-{target}-{key}"
    if not folder.exists():
        replace_older(folder, lambda draft: _fill(draft, name, pythons.find(target.python), dependencies))
    return folder


def slim(name: str) -> Path:
    """A zip of our code alone, for the local cloud: its workers find the same locked dependencies in .venv.

    A worker unpacks its package at each start, so 30 MB of copies of .venv would be paid for there, every time.
    """
    key = _digest(*sources(name), sys.version)
    archive = BUILD / "slim" / f"{name}-{key}.zip"
    if not archive.exists():
        replace_older(archive.with_suffix(""), lambda draft: _fill(draft, name, Path(sys.executable)))
        zip_folder(archive.with_suffix(""), archive)
    return archive


def _fill(folder: Path, name: str, python: Path | None, dependencies: Path | None = None) -> None:
    if dependencies:
        shutil.copytree(dependencies, folder, dirs_exist_ok=True)
    for source in sources(name):
        copy = folder / source.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    for own in ("functions", "shared"):
        _compile(python, folder, folder / own)


def _compile(python: Path | None, root: Path, folder: Path) -> None:
    """Bytecode that is never checked against the source's time, which unpacking changes. A cold start without it
    compiles every module, because what it writes is lost. Does nothing if there is no such Python."""
    if python:
        command = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", root, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InfraError(f"Not compiled: {folder.name}\n{done.stdout}{done.stderr}")


def _dependencies(name: str, target: Target) -> Path:
    """The function's dependency group as locked, trimmed to what runs."""
    lock = [REPOSITORY / "uv.lock", REPOSITORY / "pyproject.toml", Path(__file__)]
    python = pythons.find(target.python)
    key = _digest(*lock, str(target), "compiled" if python else "sources")
    folder = BUILD / "dependencies" / f"{name}-{target}-{key}"
    if not folder.exists():
        replace_older(folder, lambda draft: _install(draft, name, target, python))
    return folder


def _install(folder: Path, name: str, target: Target, python: Path | None) -> None:
    # Chalice comes alone: the functions use its runtime, which needs the standard library only.
    needed = uv("export", "--frozen", "--only-group", name, "--prune", "chalice", "--no-emit-project", "--no-header")
    chalice = uv("export", "--frozen", "--only-group", name, "--no-emit-project", "--no-header", "--no-annotate")
    requirements = folder / "requirements.txt"
    requirements.write_text(needed + _only("chalice", chalice))
    uv("pip", "install", "--no-deps", "--target", str(folder), "--python-platform", target.platform,
        "--python-version", target.python, "--only-binary", ":all:", "-r", str(requirements))  # fmt: skip
    _trim(folder)
    _compile(python, folder, folder)


def _only(package: str, requirements: str) -> str:
    """One package's requirement with its hashes, out of an export; nothing where it is not in it."""
    lines = requirements.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith(f"{package}==")), len(lines))
    end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
    return "\n".join(lines[start:end]) + "\n"


def _trim(folder: Path) -> None:
    for service in (folder / "botocore" / "data").glob("*/"):
        if service.name not in KEPT_SERVICES:
            shutil.rmtree(service)
    needless = [path for pattern in NEEDLESS for path in folder.glob(pattern)]
    needless += [path for path in (folder / "chalice").glob("*") if path.name not in KEPT_CHALICE]
    utilities = folder / "aws_lambda_powertools" / "utilities"
    needless += [path for path in utilities.iterdir() if path.name not in KEPT_UTILITIES]
    for path in needless:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def sources(name: str) -> list[Path]:
    """The files of ours that a function's package holds."""
    own, shared = REPOSITORY / "functions" / name, REPOSITORY / "shared"
    # What any other Python has there goes too: it writes bytecode under a passing name, gone a moment later.
    found = [path for folder in (own, shared) for path in files_in(folder) if path.parent.name != "__pycache__"]
    return [REPOSITORY / "functions" / "__init__.py", *found]


def _digest(*parts: Path | str) -> str:
    """Of the contents of files, with their names, and of texts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode())
        if isinstance(part, Path):
            digest.update(part.read_bytes())
    return digest.hexdigest()[:16]


def main(logical_id: str, artifacts: str, architecture: str = "arm64") -> None:
    handler = template.functions(template.load())[logical_id]
    shutil.copytree(complete(template.package_of(handler), Target(architecture)), artifacts, dirs_exist_ok=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
