"""A release as a user gets it: the wheel in a new environment, outside the checkout, against a running cloud."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator, Registry

from infra.cli import HIDDEN, MODULES, NEEDS_CHECKOUT
from infra.local.postgres import binaries
from infra.toolchain import release
from infra.toolchain.uv import REPOSITORY, uv
from tests.support.cloud import COMMAND_SECONDS, Cloud

pytestmark = pytest.mark.contract

MOMENT = 1_780_000_000  # any time that is not the time of the test


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release of this tree."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    release.build(release.Release(release._version(REPOSITORY), "0" * 40, MOMENT), folder)
    return folder


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new virtual environment that contains the wheel and its dependencies only."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    uv("venv", "--python", sys.executable, str(environment))
    uv("pip", "install", "--python", str(environment), str(next(built.glob("*.whl"))))
    return environment / "bin" / "python"


def run(python: Path, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The installed command in `folder`, with nothing of this environment but its path."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "COLUMNS": "200", **variables}
    command = [python.with_name("switchboard"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )


@pytest.fixture
def deployment(cloud: Cloud) -> dict[str, str]:
    """Where a deployment is, as a user states it to the commands."""
    state = cloud.status
    names = {"SWITCHBOARD_API": "api", "SWITCHBOARD_WEBSOCKET": "websocket", "SWITCHBOARD_TOKEN": "token"}
    return {variable: state[name] for variable, name in names.items()}


def test_checksums_are_those_of_the_files(built: Path) -> None:
    lines = [line.split("  ") for line in (built / release.CHECKSUMS).read_text().splitlines()]
    assert {name for _, name in lines} == {path.name for path in built.iterdir()} - {release.CHECKSUMS}
    assert all(hashlib.sha256((built / name).read_bytes()).hexdigest() == digest for digest, name in lines)


def test_the_same_commit_gives_the_same_files(built: Path, tmp_path: Path) -> None:
    release.build(release.Release(release._version(REPOSITORY), "0" * 40, MOMENT), tmp_path / "dist")
    assert (tmp_path / "dist" / release.CHECKSUMS).read_text() == (built / release.CHECKSUMS).read_text()


def cyclonedx() -> Draft7Validator:
    """The schema of CycloneDX 1.5, as its Python library contains it."""
    folder = files("cyclonedx.schema") / "_res"

    def schema(name: str) -> dict[str, Any]:
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())

    named = [
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schema(name)) for name in ("spdx", "jsf-0.82")
    ]
    return Draft7Validator(schema("bom-1.5"), registry=Registry(named))


def test_the_bills_of_materials_are_valid_cyclonedx(built: Path) -> None:
    documents = [json.loads(path.read_text()) for path in sorted(built.glob("*.cdx.json"))]
    assert len(documents) == 2
    for document in documents:
        assert [error.message for error in cyclonedx().iter_errors(document)] == []
        document["components"][0]["licenses"] = [{"license": {"id": "no such licence"}}]
        assert not cyclonedx().is_valid(document)


def test_the_wheel_has_its_licence_and_its_sql(built: Path) -> None:
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    sql = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "infra" / "database").rglob("*.sql")}
    assert sql <= set(names)


def test_the_dashboard_archive_has_the_page(built: Path) -> None:
    assert "index.html" in zipfile.ZipFile(next(built.glob("switchboard-dashboard-*.zip"))).namelist()


def test_an_installed_wheel_states_its_version(python: Path, tmp_path: Path) -> None:
    assert run(python, tmp_path, "--version").stdout == f"switchboard {release._version(REPOSITORY)}\n"


def test_an_installed_wheel_lists_every_command(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert [name for name in MODULES.keys() - HIDDEN if f" {name} " not in done.stdout] == []


def test_each_command_of_a_wheel_has_its_help(python: Path, tmp_path: Path) -> None:
    for name in MODULES.keys() - HIDDEN - NEEDS_CHECKOUT:
        done = run(python, tmp_path, name, "--help")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(NEEDS_CHECKOUT))
def test_commands_that_need_a_checkout_say_so(python: Path, tmp_path: Path, name: str) -> None:
    done = run(python, tmp_path, name, "--detach")
    assert done.returncode == 1
    assert f"`switchboard {name}`" in done.stderr
    assert "Clone the repository" in done.stderr


def test_a_wheel_sends_to_a_deployment(python: Path, tmp_path: Path, deployment: dict[str, str], cloud: Cloud) -> None:
    call_id, queue_id = cloud.new_call_id(), cloud.new_queue()
    event = {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": queue_id}
    done = run(python, tmp_path, "send", json.dumps(event), **deployment)
    assert done.returncode == 0, done.stderr
    assert cloud.get(f"/api/calls/{call_id}")["queueId"] == queue_id
    cloud.end_calls(call_id)


def test_a_wheel_follows_the_feed(python: Path, tmp_path: Path, deployment: dict[str, str]) -> None:
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), **deployment}
    command = [python.with_name("switchboard"), "tail", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout
        kinds = [json.loads(tail.stdout.readline())["kind"] for _ in range(2)]
        tail.terminate()
    assert "snapshot" in kinds


def test_a_wheel_examines_a_deployment(python: Path, tmp_path: Path, deployment: dict[str, str]) -> None:
    done = run(python, tmp_path, "doctor", "--json", **deployment)
    assert {json.loads(line)["what"] for line in done.stdout.splitlines()} >= {"token", "api", "postgres", "socket"}


def test_a_wheel_reads_the_state_of_a_local_run(python: Path, tmp_path: Path, cloud: Cloud) -> None:
    home = {"SWITCHBOARD_HOME": str(cloud.home)}
    assert json.loads(run(python, tmp_path, "status", "--json", **home).stdout)["healthy"]
    minted = run(python, tmp_path, "token", "--role", "sender", **home)
    assert minted.stdout.count(".") == 2, minted.stderr


def test_a_wheel_migrates_a_database(python: Path, tmp_path: Path, database_url: str) -> None:
    done = run(python, tmp_path, "migrate", "--database-url", database_url)
    assert done.stdout.startswith("The schema is up to date"), done.stderr


def test_a_wheel_backs_up_with_the_programs_of_the_machine(python: Path, tmp_path: Path, database_url: str) -> None:
    copy = tmp_path / "calls.dump"
    without = run(python, tmp_path, "backup", str(copy), "--database-url", database_url, PATH=str(tmp_path))
    assert "install Postgres 18's client programs" in without.stderr
    done = run(python, tmp_path, "backup", str(copy), "--database-url", database_url, PATH=str(binaries()))
    assert done.returncode == 0, done.stderr
    assert copy.read_bytes().startswith(b"PGDMP")


def test_a_wheel_makes_no_token_without_a_key(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "token", "--role", "sender")
    assert done.returncode == 1
    assert "--key-name" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_has_the_python_client(python: Path, tmp_path: Path) -> None:
    program = "from infra.client import Api, Feed, Replica"
    done = subprocess.run([python, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
