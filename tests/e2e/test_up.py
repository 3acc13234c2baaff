"""What a person at the keyboard meets: up, up again, Ctrl-C, a crash's leftovers, a port that is taken."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import boto3
import psycopg
import pytest

from infra.local import ports, processes
from tests.support.cloud import Cloud


def test_status_tells_where_everything_is(cloud: Cloud):
    status = cloud.await_healthy()
    for name in ("api", "websocket", "dashboard", "database", "redis", "token"):
        assert status[name], name
    assert status["database"].startswith("postgresql://")
    assert "#token=" in status["dashboard"]
    assert "switchboard-relay" in status["functions"]


def test_up_twice_says_so_and_shows_the_addresses(cloud: Cloud):
    before = cloud.read_status()["processes"]
    told = cloud.up()
    assert "running already" in told
    assert cloud.files.read_state()["api"] in told
    assert cloud.read_status()["processes"] == before


def test_secrets_are_the_owner_s_alone(cloud: Cloud):
    for path in (cloud.files.state_file, *(cloud.home / "secrets").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


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


def test_the_code_can_be_deployed_again_while_it_runs(exclusive_cloud: Cloud):
    cloud = exclusive_cloud
    done = cloud.run("deploy", "--local")
    assert done.returncode == 0, done.stderr
    cloud.await_healthy()


def test_a_changed_api_keeps_its_address(exclusive_cloud: Cloud):
    cloud = exclusive_cloud
    place = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
    edge = cloud.read_status()["aws"]
    cloudformation, s3 = (boto3.client(name, endpoint_url=edge, **place) for name in ("cloudformation", "s3"))
    as_it_is = json.dumps(cloudformation.get_template(StackName="switchboard")["TemplateBody"])
    changed = as_it_is.replace("Try again in a moment.", "Try again in a second.")
    assert changed != as_it_is
    s3.create_bucket(Bucket="changed")
    s3.put_object(Bucket="changed", Key="template.json", Body=changed.encode())
    (stack,) = cloudformation.describe_stacks(StackName="switchboard")["Stacks"]
    cloudformation.update_stack(
        StackName="switchboard",
        TemplateURL=f"{edge}/changed/template.json",
        Parameters=[{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in stack["Parameters"]],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName="switchboard", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert cloud.http.get("/api/queues").status_code == 200


def test_migrate_finds_nothing_to_do(cloud: Cloud):
    assert "newest" in cloud.run("migrate").stdout


def test_the_doctor_finds_nothing_ill_and_logs_follow_a_call(exclusive_cloud: Cloud):
    cloud = exclusive_cloud
    examined = cloud.run("doctor", "--json")
    found = {finding["what"]: finding["health"] for finding in map(json.loads, examined.stdout.splitlines())}
    assert (examined.returncode, set(found.values())) == (0, {"well"}), examined.stdout
    assert {"token", "api", "clock", "postgres", "redis", "sweep", "relay", "dashboard", "socket", "schema"} <= set(
        found
    )
    begun = {"event": "call_initiated", "callId": "followed-1", "type": "voice", "queueId": "legal_english"}
    assert cloud.http.post("/api/events", json=begun).status_code == 201
    deadline = time.monotonic() + 20
    while "recorded 1 events" not in (told := cloud.run("logs", "--call", "followed-1").stdout):
        assert time.monotonic() < deadline, told  # it is on its way from the function's process to the file
    assert "ill" in cloud.run("doctor", "--api", "http://127.0.0.1:1", "--token", "none").stdout


def test_ctrl_c_leaves_nothing_running(own: Cloud):
    environment = own.environment | {"PYTHONUNBUFFERED": "1"}
    command = own.command("up", "--no-dashboard")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if "Ctrl-C stops everything" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert "Stopped" in rest
    assert process.returncode == 0
    assert own.running() == []


@pytest.mark.parametrize("options", [[], ["--detach"]], ids=["in front", "in the background"])
def test_half_a_start_is_undone_when_it_is_interrupted(own: Cloud, options: list[str]):
    environment = own.environment | {"PYTHONUNBUFFERED": "1"}
    command = own.command("up", "--no-dashboard", *options)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "Postgres" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert own.running() == []


def test_after_a_crash_its_leftovers_are_cleared_and_data_and_addresses_are_as_before(own: Cloud):
    own.up("--no-dashboard")
    before = own.files.read_state()
    with psycopg.connect(before["database"]) as connection:
        connection.execute("create table kept as select 42 as answer")
    os.kill(before["owner"]["pid"], signal.SIGKILL)
    assert own.functions()

    own.up("--no-dashboard")
    after = own.files.read_state()
    assert after["api"] == before["api"]
    own.await_healthy()
    assert [processes.find(identity) for identity in before["processes"].values()] == [None, None, None]
    with psycopg.connect(before["database"]) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_taken_port_and_an_interrupted_initdb_are_no_hindrance(own: Cloud):
    own.files.create()
    (own.home / "postgres.new").mkdir()
    (own.home / "postgres.new" / "PG_VERSION").write_text("18")
    port = ports.claim()
    ports.release(port)
    with socket.create_server((ports.LOOPBACK, port)):
        own.files.write_state({"ports": {"aws": port, "redis": port, "postgres": port}})
        own.up("--no-dashboard")
        assert port not in own.files.read_state()["ports"].values()
    own.await_healthy()


def test_it_is_itself_wherever_it_is_called(own: Cloud, tmp_path: Path):
    """Another project's `infra` lies there, or another checkout's."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").touch()
    done = own.run("up", "--detach", "--no-dashboard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    own.await_healthy()


def test_a_damaged_state_file_is_no_run(own: Cloud):
    own.files.create()
    own.files.state_file.write_text('{"ports": {"aws"')
    assert own.run("status").returncode == 1


def test_down_and_status_without_a_run(own: Cloud):
    assert "Nothing was running" in own.run("down").stdout
    done = own.run("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["healthy"] is False
