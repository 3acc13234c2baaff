"""The whole product on the embedded cloud, started as a user starts it, once for all tests here."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

Json = dict[str, Any]
SWITCHBOARD = str(Path(sys.executable).with_name("switchboard"))


@dataclass
class Cloud:
    home: Path
    status: Json
    http: httpx.Client = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.http = httpx.Client(headers={"Authorization": f"Bearer {self.status['token']}"}, timeout=30)

    def new_call_id(self) -> str:
        return f"call-{next(self._numbers)}"

    def post(self, event: str, call_id: str, **fields: Any) -> httpx.Response:
        return self.http.post(f"{self.status['api']}/api/events", json={"event": event, "callId": call_id, **fields})

    def get(self, path: str, **params: Any) -> Json:
        response = self.http.get(f"{self.status['api']}{path}", params=params)
        response.raise_for_status()
        return response.json()

    def live_calls(self) -> dict[str, Json]:
        """The floor as REST tells it, all pages."""
        calls: dict[str, Json] = {}
        query = {"status": "waiting,active,on_hold", "limit": 500}
        while True:
            page = self.get("/api/calls", **query)
            calls |= {call["id"]: call for call in page["data"]}
            if not page["nextCursor"]:
                return calls
            query["cursor"] = page["nextCursor"]

    @contextmanager
    def socket(self, *topics: str, token: str | None = None) -> Iterator[ClientConnection]:
        """A connection that is subscribed."""
        address = f"{self.status['websocket']}?{urlencode({'token': token or self.status['token']})}"
        with connect(address, open_timeout=20) as socket:
            socket.send(json.dumps({"action": "subscribe", "topics": list(topics)}))
            assert receive(socket, lambda frame: frame["type"] == "subscribed")["topics"] == list(topics)
            yield socket

    def server(self, name: str) -> Json:
        """Which process runs as this server now, as whoever keeps the cloud has written it down."""
        return json.loads((self.home / "state.json").read_text())["processes"][name]

    def command(self, *arguments: str) -> list[str]:
        return [SWITCHBOARD, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SWITCHBOARD_HOME": str(self.home)}


def receive(socket: ClientConnection, wanted: Callable[[Json], bool], seconds: float = 20) -> Json:
    """The first frame that is wanted; whatever comes before it is passed over."""
    while True:
        frame = json.loads(socket.recv(timeout=seconds))
        if wanted(frame):
            return frame


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SWITCHBOARD_HOME": str(home)}
    return subprocess.run(
        [SWITCHBOARD, *arguments], env=environment, capture_output=True, check=False, text=True, timeout=300
    )


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    home = tmp_path_factory.mktemp("cloud")
    started = run(home, "up", "--detach")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        cloud = Cloud(home, json.loads(run(home, "status", "--json").stdout))
        with cloud.http:
            yield cloud
    finally:
        run(home, "down")
