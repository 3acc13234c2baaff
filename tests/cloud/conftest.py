"""Three clouds that speak like AWS: moto, MiniStack and LocalStack. What the product expects of AWS holds on each."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra import aws
from infra.deployment.localstack import PYTHON, LocalStack
from infra.home import Home
from infra.local.ministack import MiniStack
from infra.machine.ports import claim
from infra.toolchain import pythons
from tests.support.clouds import Client


def _moto(_folder: Path, stack: ExitStack) -> str:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", claim(), verbose=False)
    server.start()
    stack.callback(server.stop)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def _ministack(folder: Path, stack: ExitStack) -> str:
    home = Home(folder)
    home.create()
    server = MiniStack(claim(), home, "test")  # what clients of an unknown emulator sign with
    stack.callback(server.stop)
    server.start()
    return server.url


def _localstack(folder: Path, stack: ExitStack) -> str:
    if not pythons.find(PYTHON):
        pytest.skip(f"LOCALSTACK WAS NOT TRIED: it needs Python {PYTHON}, and this machine has none")
    server = LocalStack(folder, claim())
    stack.callback(server.stop)
    server.start()
    return server.url


@pytest.fixture(scope="session", params=[_moto, _ministack, _localstack], ids=lambda start: start.__name__[1:])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. One at a time: each has all the expectations before the next is started."""
    with ExitStack() as stack:
        yield request.param(tmp_path_factory.mktemp("cloud"), stack)


@pytest.fixture
def client(cloud: str) -> Client:
    return lambda service: aws.client(service, "us-east-1", cloud)
