"""What a person at the keyboard meets: up, up again, Ctrl-C, a crash's leftovers, a port that is taken."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from infra.machine import ports, processes
from tests.support.cloud import Cloud, stop_leftovers


def test_status_tells_where_everything_is(cloud: Cloud):
    status = cloud.await_healthy()
    for name in ("api", "websocket", "dashboard", "database", "redis", "token"):
        assert status[name], name
    assert status["database"].startswith("postgresql://")
    assert "#token=" in status["dashboard"]
    assert "switchboard-relay" in status["functions"]


def test_up_twice_says_so_and_shows_the_addresses(cloud: Cloud):
    before = cloud.files.read_state()["processes"]
    printed = cloud.up()
    assert "already running" in printed
    assert cloud.status["api"] in printed and cloud.status["token"] not in printed
    assert cloud.files.read_state()["processes"] == before


def test_the_page_s_config_tells_where_the_api_is(cloud: Cloud):
    state = cloud.files.read_state()
    page = state["dashboard"].partition("#")[0]
    answer = cloud.http.get(page.replace("index.html", "config.json"))
    assert answer.json() == {"api": state["api"], "websocket": state["websocket"]}
    html = cloud.http.get(page)
    assert html.headers["content-type"] == "text/html"
    assert html.headers["cache-control"] == "no-cache"


def test_a_page_from_elsewhere_may_call_the_api(cloud: Cloud):
    asks = {
        "Origin": "http://elsewhere.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = cloud.http.options("/api/events", headers=asks)
    answer = cloud.http.get("/api/health", headers={"Origin": asks["Origin"]})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_migrate_finds_nothing_to_do(cloud: Cloud):
    assert "up to date" in cloud.run("migrate").stdout


@dataclass(frozen=True)
class TwoStarts:
    """What was seen of a cloud that was started, crashed, was started again and was interrupted."""

    taken_port: int
    """Recorded for each server before the first start, and answered by another program."""
    first: dict[str, Any]
    """The recorded state after the first start."""
    left_by_the_crash: list[int]
    """Processes of functions that ran on when the cloud's owner was killed."""
    second: dict[str, Any]
    found_running: list[psutil.Process]
    """Servers of the first start that still ran during the second one."""
    kept: Any
    """What the database returned of what was stored before the crash."""
    output: str
    """What the second start printed after the interrupt."""
    exit_code: int
    left_running: list[str]


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoStarts]:
    """Two starts for all tests that need some: each takes ten seconds of a processor."""
    folder = tmp_path_factory.mktemp("starts")
    cloud = Cloud(folder / "home")
    try:
        yield two_starts(cloud, folder)
    finally:
        stop_leftovers(cloud)


def two_starts(cloud: Cloud, folder: Path) -> TwoStarts:
    # The working folder holds another project's `infra`, the ports are taken, and an initdb was interrupted.
    (folder / "infra").mkdir()
    (folder / "infra" / "__init__.py").touch()
    cloud.files.create()
    (cloud.home / "postgres.new").mkdir()
    (cloud.home / "postgres.new" / "PG_VERSION").write_text("18")
    port = ports.claim()
    ports.release(port)
    with socket.create_server((ports.LOOPBACK, port)):
        cloud.files.write_state({"ports": {"aws": port, "redis": port, "postgres": port}})
        cloud.up("--no-dashboard", cwd=folder)
    first = cloud.files.read_state()
    with psycopg.connect(first["database"]) as connection:
        connection.execute("create table kept as select 42 as answer")

    os.kill(first["owner"]["pid"], signal.SIGKILL)
    left_by_the_crash = cloud.functions()
    command, environment = cloud.command("up", "--no-dashboard"), cloud.environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C stops everything" in line:
                break
        second = cloud.files.read_state()
        assert second.get("ready"), printed
        found_running = [found for known in first["processes"].values() if (found := processes.find(known))]
        with psycopg.connect(first["database"]) as connection:
            kept = connection.execute("select answer from kept").fetchall()
        cloud.await_healthy()
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
    return TwoStarts(
        taken_port=port,
        first=first,
        left_by_the_crash=left_by_the_crash,
        second=second,
        found_running=found_running,
        kept=kept,
        output=output,
        exit_code=process.returncode,
        left_running=cloud.running(),
    )


def test_a_taken_port_and_an_interrupted_initdb_are_no_hindrance(starts: TwoStarts):
    """Nor is another `infra` in the folder where it is called."""
    assert starts.first["ready"]
    assert starts.taken_port not in starts.first["ports"].values()


def test_a_start_after_a_crash_keeps_data_and_addresses(starts: TwoStarts):
    assert starts.left_by_the_crash, "there was something to clear"
    assert starts.found_running == []
    assert starts.second["api"] == starts.first["api"]
    assert starts.kept == [(42,)]


def test_ctrl_c_leaves_nothing_running(starts: TwoStarts):
    assert "Stopped" in starts.output
    assert starts.exit_code == 0
    assert starts.left_running == []


@pytest.mark.parametrize(
    "options",
    [pytest.param([], id="in front"), pytest.param(["--detach"], id="in the background", marks=pytest.mark.contract)],
)
def test_half_a_start_is_undone_when_it_is_interrupted(own: Cloud, options: list[str]):
    environment = own.environment | {"PYTHONUNBUFFERED": "1"}
    command = own.command("up", "--no-dashboard", *options)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "Postgres" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert own.running() == []


def test_a_damaged_state_file_is_no_run(own: Cloud):
    own.files.create()
    own.files.state_file.write_text('{"ports": {"aws"')
    assert own.run("status").returncode == 1


def test_down_and_status_without_a_run(own: Cloud):
    assert "Nothing was running" in own.run("down").stdout
    done = own.run("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["healthy"] is False
