"""Build a release into dist/: python -m infra.toolchain.release

A release is the wheel, the source archive, the built dashboard, two bills of materials and their checksums. Times
inside the files are the last commit's, so that the same commit gives the same bytes.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.errors import InfraError
from infra.toolchain import dashboard, sbom
from infra.toolchain.files import zip_folder
from infra.toolchain.uv import REPOSITORY, uv

DIST = REPOSITORY / "dist"
CHECKSUMS = "SHA256SUMS"
SHOWN = 10  # names of changed files in a message


@dataclass(frozen=True)
class Release:
    """What is released."""

    version: str
    """As pyproject.toml states it, without a leading v."""
    commit: str
    """The full hash of the commit that is released."""
    moment: int
    """When it was committed, in seconds since 1970."""

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def check(repository: Path = REPOSITORY) -> Release:
    """The release that the tree is ready for. Raises `InfraError` with what to do first."""
    _refuse_changes(repository)
    version = _version(repository)
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", _read(repository, "CHANGELOG.md"), re.MULTILINE
    ):
        raise InfraError(
            f"CHANGELOG.md has no entry for {version}. Write one under a heading such as `## [{version}] - 2026-01-31`."
        )
    commit, moment = _git(repository, "log", "-1", "--format=%H %ct").split()
    release = Release(version, commit, int(moment))
    tagged = _git(repository, "tag", "--list", release.tag, "--format=%(*objectname)%(objectname)")
    if tagged and not tagged.startswith(commit):
        raise InfraError(f"{release.tag} is the tag of another commit. Raise the version in pyproject.toml first.")
    return release


def _refuse_changes(repository: Path) -> None:
    changed = _git(repository, "status", "--porcelain").splitlines()
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        names = ", ".join(line[3:] for line in changed[:SHOWN])
        raise InfraError(f"Commit or remove these changes first, because a release is one commit: {names}{more}.")


def _version(repository: Path) -> str:
    """The one version that all files state."""
    version = tomllib.loads(_read(repository, "pyproject.toml"))["project"]["version"]
    image = re.search(r"image: switchboard-tools:(\S+)", _read(repository, "docker-compose.yml"))
    stated = {
        "dashboard/package.json": json.loads(_read(repository, "dashboard/package.json"))["version"],
        "docker-compose.yml": image[1] if image else None,
    }
    differing = [f"{name} states {each}" for name, each in stated.items() if each != version]
    if differing:
        raise InfraError(f"pyproject.toml states version {version}, but {' and '.join(differing)}. Make them the same.")
    return version


def build(release: Release, folder: Path = DIST) -> list[Path]:
    """Make the release in `folder`, replacing what is there. Returns its files. Raises `InfraError`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as source:
        _copy_tracked_files(REPOSITORY, Path(source))
        uv("build", "--out-dir", str(folder), source, SOURCE_DATE_EPOCH=str(release.moment))
    (folder / ".gitignore").unlink(missing_ok=True)
    dashboard.build()
    zip_folder(dashboard.DIST, folder / f"switchboard-dashboard-{release.version}.zip")
    boms = {
        f"switchboard-{release.version}.cdx.json": sbom.of_python(release.moment),
        f"switchboard-dashboard-{release.version}.cdx.json": sbom.of_page(release.moment),
    }
    for name, bom in boms.items():
        (folder / name).write_text(json.dumps(bom, indent=2) + "\n")
    made = sorted(folder.iterdir())
    sums = folder / CHECKSUMS
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made))
    return [*made, sums]


def _copy_tracked_files(repository: Path, target: Path) -> None:
    """The build tool reads every file of the folder. Other programs may delete files of a checkout."""
    for name in _git(repository, "ls-files", "-z").split("\0"):
        if name and (repository / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, target / name)


def _read(repository: Path, name: str) -> str:
    return (repository / name).read_text()


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfraError(f"git {arguments[0]} failed:\n{done.stderr}")
    return done.stdout.rstrip("\n")


def main() -> int:
    try:
        release = check()
        made = build(release)
    except InfraError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    lines = [f"Switchboard {release.version}, commit {release.commit[:12]}:"]
    lines += [f"  {path.relative_to(REPOSITORY)}  {path.stat().st_size:,} bytes" for path in made]
    lines += [
        "Next:",
        f"  (cd {DIST.name} && sha256sum --check {CHECKSUMS})",
        f"  git tag -a {release.tag} -m 'Switchboard {release.version}' && git push origin {release.tag}",
        f"  Attach the files in {DIST.name}/ to the release {release.tag}.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
