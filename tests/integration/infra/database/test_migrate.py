"""Migrations beside running functions: locking statements are refused, and a waiting one delays no others."""

import psycopg
import pytest

from infra.database import locks, migrate
from infra.errors import InfraError

LOCKING = {
    "an index that blocks writes": "create index calls_by_version on queues (name);",
    "a column that rewrites the table": "alter table queues add column made timestamptz default clock_timestamp();",
    "a constraint that reads all of the table": "alter table queues add constraint named check (name <> '');",
    "a column that the running code still reads": "alter table queues drop column name;",
    "a table that the running code still reads": "drop table queues;",
    "a name that the running code does not know": "alter table queues rename column name to title;",
    "a type that rewrites the table": "alter table queues alter column sla_seconds type numeric;",
}
HARMLESS = "alter table queues add column note text;"


@pytest.fixture
def folder(tmp_path):
    """What is deployed, to add to."""
    for script in migrate.FOLDER.glob("*.sql"):
        (tmp_path / script.name).write_bytes(script.read_bytes())
    return tmp_path


@pytest.mark.parametrize("statement", LOCKING.values(), ids=LOCKING)
def test_a_locking_or_breaking_migration_is_refused(database_url, folder, statement):
    (folder / "1001_new.sql").write_text(f"{statement}\n")
    with pytest.raises(InfraError, match="1001_new"):
        migrate.migrate(database_url, folder)
    with psycopg.connect(database_url) as connection:
        applied = connection.execute("select count(*) from schema_migrations where name like '1%'").fetchone()
    assert applied == (0,)


def test_an_index_is_made_while_others_write_in_no_transaction(database_url, folder):
    script = folder / "1001_index.sql"
    script.write_text(f"{locks.ALONE}\ncreate index concurrently if not exists queues_named on queues (name);\n")
    assert migrate.migrate(database_url, folder) == [script.name]
    assert migrate.migrate(database_url, folder) == []


def test_a_lock_is_waited_for_in_turns(database_url, folder):
    """It gives up after two seconds, so that those behind it go on, and has it when it comes again."""
    (folder / "1001_note.sql").write_text(HARMLESS)
    pauses: list[float] = []
    with psycopg.connect(database_url) as holder:
        holder.execute("lock table queues in access share mode")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            holder.rollback()

        assert migrate.migrate(database_url, folder, pause) == ["1001_note.sql"]
    assert pauses == [1]


def test_a_lock_that_stays_ends_it_with_nothing_changed(database_url, folder, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "10ms")
    (folder / "1001_note.sql").write_text(HARMLESS)
    with psycopg.connect(database_url) as holder:
        holder.execute("lock table queues in access share mode")
        with pytest.raises(InfraError, match="pg_stat_activity"):
            migrate.migrate(database_url, folder, lambda _seconds: None)
    assert migrate.migrate(database_url, folder) == ["1001_note.sql"]
