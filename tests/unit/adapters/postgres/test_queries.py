"""SQL files: every statement has a name and a purpose, and is used."""

import re
from pathlib import Path

import pytest

from shared.adapters.postgres.queries import load_queries

REPOSITORY = Path(__file__).resolve().parents[4]
FILES = [
    path
    for folder in ("shared", "infra")
    for path in sorted((REPOSITORY / folder).rglob("*.sql"))
    if path.with_suffix(".py").exists()
]
BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def blocks(file: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_statement_has_a_name_and_a_purpose(file):
    found = blocks(file)
    names = [name for name, _ in found]
    assert names and len(set(names)) == len(names) == file.read_text().count("-- name:")
    assert [name for name, text in found if not re.match(r"-- [A-Z].*\.?\n", text)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_statement_is_used(file):
    module = file.with_suffix(".py").read_text()
    unused = [
        name
        for name, _ in blocks(file)
        if f'"{name}"' not in module and not re.search(rf"\${name}\b", file.read_text())
    ]
    assert unused == []


def test_a_statement_inserts_fragments_and_earlier_statements(tmp_path):
    (tmp_path / "example.sql").write_text(
        "-- An introduction.\n\n-- name: first\n-- Purpose.\nselect 1\n\n-- name: second\n-- Purpose.\n-- More.\n"
        "select ($first), $column, '%s' -- a remark\n"
    )
    queries = load_queries(str(tmp_path / "example.py"), column="name")
    assert queries == {"first": "select 1", "second": "select (select 1), name, '%s' -- a remark"}


def test_a_missing_fragment_is_an_error(tmp_path):
    (tmp_path / "example.sql").write_text("-- name: only\n-- Purpose.\nselect $missing\n")
    with pytest.raises(KeyError, match="missing"):
        load_queries(str(tmp_path / "example.py"))
