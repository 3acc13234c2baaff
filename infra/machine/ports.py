"""Loopback ports, each claimed by one run while its process lives.

While a killed server restarts, its port must stay free. Neither another run nor an outgoing connection may get it.
"""

import os
import random
import socket

LOOPBACK = "127.0.0.1"
# Below the ports of outgoing connections: Linux begins at 32768, macOS at 49152.
FIRST, LAST = 10_000, 32_767

# A claim is a UDP socket with the same number. No server here uses UDP, and the kernel frees it when the process ends.
_claims: dict[int, int] = {}


def claim(*preferred: int | None) -> int:
    """The first free preferred port, else any free one. It is claimed until `release` or the end of the process."""
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
        # Without this option, a port with connections in TIME_WAIT looks taken.
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
