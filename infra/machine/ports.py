"""Loopback ports, each claimed by one run for as long as its process lives.

A server that was killed leaves its port alone until it is back. Nobody may take its place meanwhile: not another run,
and not an outgoing connection, whose number the system chooses.
"""

import os
import random
import socket

LOOPBACK = "127.0.0.1"
# Below what systems number outgoing connections with: from 32768 on with Linux, from 49152 on with macOS.
FIRST, LAST = 10_000, 32_767

# A UDP socket on the same number: nothing of ours speaks it, and the kernel gives it back, however its process ends.
_claims: dict[int, int] = {}


def claim(*preferred: int | None) -> int:
    """The first of the preferred ports that can be had, else any. It is this process's until `release` or its end."""
    for port in preferred:
        if port and FIRST <= port <= LAST and _take(port):
            return port
    while not _take(port := random.randint(FIRST, LAST)):
        pass
    return port


def release(port: int) -> None:
    os.close(_claims.pop(port))


def _take(port: int) -> bool:
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind((LOOPBACK, port))
    except OSError:
        claim.close()
        return False
    _claims[port] = claim.detach()
    if not is_free(port):
        release(port)
        return False
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without this a port whose last connections are still in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
