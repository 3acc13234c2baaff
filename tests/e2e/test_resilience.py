"""What the local cloud does in AWS's place under load."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.support.cloud import Cloud


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
