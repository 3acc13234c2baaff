"""The documents against the code: what they name must exist."""

import ast
import re
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from infra.cli import HIDDEN, MODULES
from shared.contracts.events import IncomingEvent
from shared.settings import Settings
from tests.support.paths import REPOSITORY

DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
GUARANTEES = (REPOSITORY / "docs" / "guarantees.md").read_text()
COMMON = {"event", "event_id", "occurred_at", "sequence", "metadata"}  # fields that every event may have
NAMED_TESTS: defaultdict[str, set[str]] = defaultdict(set)
for _document in DOCUMENTS:
    for _file, _name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _document.read_text()):
        NAMED_TESTS[_file].add(_name)


@pytest.mark.parametrize(("file", "names"), NAMED_TESTS.items(), ids=NAMED_TESTS)
def test_tests_that_documents_name_exist(file: str, names: set[str]) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert names - found == set()


def test_each_guarantee_names_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| (.+) \|$", GUARANTEES, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == [*range(1, len(rows) + 1)]
    assert [number for number, tests in rows if "`tests/" not in tests] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_readme_s_map_is_the_tree() -> None:
    tree = (REPOSITORY / "README.md").read_text().split("## Find your way")[1]
    named = re.findall(r"^([a-z/]+/)(?:\s|$)", tree, flags=re.MULTILINE)
    assert named
    assert [folder for folder in named if not (REPOSITORY / folder).is_dir()] == []


def test_every_setting_is_documented() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text()
    read = {field.name.upper() for field in fields(Settings) if not field.name.endswith("_seconds")}
    assert [name for name in sorted(read | {"LOG_LEVEL"}) if f"`{name}`" not in page] == []


def test_every_command_is_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    assert [name for name in sorted(MODULES.keys() - HIDDEN) if f"`{name}`" not in page] == []


def test_every_event_and_field_is_in_the_reference() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` (\|.+\|)$", (REPOSITORY / "docs" / "events.md").read_text(), re.MULTILINE))
    for event in get_args(IncomingEvent):
        (name,) = get_args(event.model_fields["event"].annotation)
        own = {field.alias for key, field in event.model_fields.items() if key not in COMMON}
        assert [field for field in sorted(own) if f"`{field}`" not in rows[name]] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_files_that_documents_name_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:shared|functions|infra|dashboard|docs|tests|examples|bench)/[\w./-]+)(?:::\w+)?`", document.read_text()
    )
    assert [name for name in named if not (REPOSITORY / name).exists()] == []
