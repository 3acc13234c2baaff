"""Tests are found by their path, do not import each other, and have names that state a rule in few words."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

MAX_NAME = 60
TESTS = REPOSITORY / "tests"
LAYERS = {"domain", "contracts", "usecases", "adapters"}  # folders of shared/; the others are top-level folders


def imported_tests(source: str) -> list[str]:
    """The test modules and conftest modules that a module imports."""
    names: list[str] = []
    if "conftest" not in source and "test_" not in source:
        return names
    imports = "\n".join(re.findall(r"^\s*((?:from tests|import tests)[^(\n]*(?:\([^)]*\))?)", source, re.MULTILINE))
    for node in ast.walk(ast.parse(imports)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [
        name
        for name in names
        if name.startswith("tests.") and any(part == "conftest" or part.startswith("test_") for part in name.split("."))
    ]


def long_names(source: str) -> list[str]:
    return [name for name in re.findall(r"^\s*(?:async )?def (test_\w+)", source, re.MULTILINE) if len(name) > MAX_NAME]


def test_test_modules_do_not_import_each_other() -> None:
    imports = {str(path): imported_tests(path.read_text()) for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in imports.items() if names} == {}


def test_names_of_tests_have_at_most_60_characters() -> None:
    names = {str(path): long_names(path.read_text()) for path in TESTS.rglob("*.py")}
    assert {path: found for path, found in names.items() if found} == {}


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_the_folders_of_tests_are_those_of_the_source(kind: str) -> None:
    folders = [path.parent.relative_to(TESTS / kind) for path in (TESTS / kind).rglob("test_*.py")]
    sources = [Path("shared", folder) if folder.parts[0] in LAYERS else folder for folder in folders if folder.parts]
    assert [str(folder) for folder in sources if not (REPOSITORY / folder).is_dir()] == []


@pytest.mark.parametrize(
    "planted",
    [
        "from tests.unit.test_docs import helper",
        "from tests.unit import test_docs",
        "import tests.unit.test_docs",
        "from tests.integration.conftest import Harness",
        "def test_x():\n    from tests.unit.test_docs import helper",
    ],
)
def test_a_planted_import_is_found(planted: str) -> None:
    assert imported_tests(planted)


def test_a_planted_long_name_is_found() -> None:
    assert long_names(f"def test_{'x' * MAX_NAME}(): ...")
    assert not long_names(f"def test_{'x' * (MAX_NAME - 5)}(): ...")
