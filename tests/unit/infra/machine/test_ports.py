"""A port belongs to one run, also while what listened there is dead: else another takes it, and the first is lost."""

import socket
import subprocess
import sys

from infra.machine import ports

OTHER_RUN = """
import sys
from infra.machine import ports
print(ports.claim(*map(int, sys.argv[1:])), flush=True)
sys.stdin.read()
"""


def start_other_run(*preferred: int) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-c", OTHER_RUN, *map(str, preferred)]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout
    return run, int(run.stdout.readline())


def test_a_claimed_port_stays_claimed_without_a_listener() -> None:
    first, port = start_other_run()
    with first:
        assert ports.is_free(port)
        assert ports.claim(port) != port
        first.kill()
    assert ports.claim(port) == port, "a claim ends with its process, however that ends"
    ports.release(port)


def test_a_released_port_can_be_claimed_again() -> None:
    port = ports.claim()
    ports.release(port)
    assert ports.claim(port) == port
    ports.release(port)


def test_a_port_that_a_stranger_listens_on_is_not_had() -> None:
    port = ports.claim()
    ports.release(port)
    with socket.create_server((ports.LOOPBACK, port)):
        assert ports.claim(port) != port


def test_a_number_that_outgoing_connections_get_is_never_given() -> None:
    assert ports.FIRST <= ports.claim(ports.LAST + 1) <= ports.LAST
