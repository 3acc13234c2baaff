"""What the local cloud does in AWS's place when a function or a server is killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psutil
import psycopg

from infra.local import ports
from tests.support.cloud import Cloud

BACK_SECONDS = 90  # far beyond what it takes: a loaded machine must not fail what is right
HEARTBEAT = """
select max(until) from (
    select name, alive_until from heartbeats union all select 'relay', expires_at from leases
) as lives (name, until) where name = %s
"""


def alive_until(connection: psycopg.Connection, name: str) -> datetime:
    row = connection.execute(HEARTBEAT, [name]).fetchone()
    return row[0] if row and row[0] else datetime.min.replace(tzinfo=UTC)


def test_killed_functions_are_at_work_again_in_a_moment(exclusive_cloud: Cloud):
    cloud = exclusive_cloud
    with psycopg.connect(cloud.status["database"], autocommit=True) as connection:
        cloud.kill_functions()
        before = {name: alive_until(connection, name) for name in ("sweep", "relay")}
        deadline = time.monotonic() + BACK_SECONDS
        while any(alive_until(connection, name) <= then for name, then in before.items()):
            assert time.monotonic() < deadline, cloud.files.function_log.read_text()[-2000:]
            time.sleep(0.02)
    assert cloud.http.get("/api/health").status_code == 200


def test_a_burst_is_served_in_turn_by_few_processes(cloud: Cloud):
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: cloud.http.get("/api/health").status_code, range(120)))
    assert answers == [200] * 120
    assert len(cloud.functions()) < 40


MANY_INVOCATIONS = """
from infra.local import ministack_server as server
for n in range(server.KEPT_INVOCATIONS + 10):
    server.keep_log({"FunctionName": "ingest"}, f"request-{n}", f"line {n}", False, 1)
(group,) = server.cloudwatch_logs._log_groups.values()
kept = [stream["events"][1]["message"] for stream in group["streams"].values()]
assert kept == [f"line {n}" for n in range(10, server.KEPT_INVOCATIONS + 10)], kept
"""


def test_only_the_newest_invocations_logs_are_kept_in_memory():
    """In a process of its own: MiniStack makes itself at home in whichever imports it."""
    subprocess.run([sys.executable, "-c", MANY_INVOCATIONS], check=True)


def test_a_killed_redis_comes_back_at_its_address(exclusive_cloud: Cloud):
    cloud = exclusive_cloud
    assert cloud.run("token", "rotate").returncode == 0
    before = cloud.files.read_state()
    killed = before["processes"]["redis"]["pid"]
    os.kill(killed, signal.SIGKILL)
    assert ports.claim(before["ports"]["redis"]) != before["ports"]["redis"], "nobody takes its place meanwhile"
    deadline = time.monotonic() + BACK_SECONDS
    while psutil.pid_exists(killed) or cloud.files.read_state()["processes"]["redis"]["pid"] == killed:
        assert time.monotonic() < deadline, "its end is noted, and another one runs"
        time.sleep(0.02)
    assert cloud.read_status()["parts"]["redis"] == "ok"
    after = cloud.files.read_state()
    assert after["redis"] == before["redis"]
    assert after["token"] == before["token"], "what another command wrote meanwhile is kept"
    assert after["processes"]["redis"] != before["processes"]["redis"]
