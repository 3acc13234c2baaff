"""A local cloud as tests use it: started by the command as a user starts it, asked by REST, followed by a socket."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.sync.client import ClientConnection, connect

from infra import aws
from infra.home import Home
from infra.machine import processes
from shared.adapters.auth import tokens
from shared.usecases.access import EVERY_QUEUE, Role

Json = dict[str, Any]
SWITCHBOARD = Path(sys.executable).with_name("switchboard")
COMMAND_SECONDS = 300.0
"""How long a command may take. `up` needs 15 s on a quiet machine, and more where it builds the dashboard."""
FRAME_SECONDS = 60.0
"""How long a frame may take to arrive. A quiet machine needs less than one second."""


@dataclass
class Cloud:
    """One local cloud under a home of its own, driven by the `switchboard` command.

    `home` is its folder. `variables` are added to the environment of its commands. `name` distinguishes the ids that
    this object makes from those of other test processes.
    """

    home: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    # --- the command ---

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SWITCHBOARD_HOME": str(self.home), "COLUMNS": "200", **self.variables}

    def command(self, *arguments: str) -> list[str]:
        return [str(SWITCHBOARD), *arguments]

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, whatever its exit code is."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            cwd=cwd,
        )

    def up(self, *options: str, cwd: Path | None = None) -> str:
        """Start it in the background. Returns what the command printed."""
        self.close()  # it may get other addresses
        done = self.run("up", "--detach", *options, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def down(self) -> None:
        done = self.run("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def close(self) -> None:
        """Close the connections of this object, and forget where the cloud is."""
        if client := self.__dict__.pop("http", None):
            client.close()
        self.__dict__.pop("status", None)

    def aws(self, service: str) -> Any:
        """A client of its AWS APIs that signs with the run's secret."""
        return aws.client(service, "us-east-1", self.status["aws"], self.status["aws_credentials"])

    # --- where it is, and what runs ---

    @cached_property
    def files(self) -> Home:
        """Its folder, with a name for each file."""
        return Home(self.home)

    @cached_property
    def status(self) -> Json:
        """Where everything is, as the running cloud recorded it when this was first needed."""
        state = self.files.read_state()
        assert state.get("ready"), "it is not running"
        return state

    def read_status(self) -> Json:
        """What `switchboard status --json` prints now."""
        return json.loads(self.run("status", "--json").stdout)

    def await_healthy(self) -> Json:
        """What `switchboard status --json` prints once each part answers within the time that `status` gives it."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while not (status := self.read_status())["healthy"]:
            assert time.monotonic() < deadline, status["parts"]
        return status

    def server(self, name: str) -> Json:
        """The process that is this server now: its pid and start, as the cloud's owner recorded them."""
        return self.files.read_state()["processes"][name]

    def is_up(self) -> bool:
        """Whether it was started completely and its owner runs."""
        state = self.files.read_state()
        return bool(state.get("ready") and processes.find(state.get("owner")))

    def functions(self) -> list[int]:
        """The pids of the functions' processes."""
        return [process.pid for process in processes.running_from(self.files.temporary)]

    def kill_functions(self) -> None:
        """Kill every function's process and wait until all have ended."""
        workers = processes.running_from(self.files.temporary)
        assert workers, "functions run in processes of their own"
        processes.stop(workers, how=signal.SIGKILL)

    def running(self) -> list[str]:
        """The command lines of all processes that name its folder: none after `down`."""
        # Without `ww`, ps cuts lines at 80 columns where it has no terminal, and finds nothing.
        found = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in found.splitlines() if str(self.home) in line]

    # --- REST ---

    @cached_property
    def http(self) -> httpx.Client:
        """Sends the administrator's token with each request. Paths are those of the API."""
        bearer = {"Authorization": f"Bearer {self.status['token']}"}
        return httpx.Client(base_url=self.status["api"], headers=bearer, timeout=FRAME_SECONDS, trust_env=False)

    def post(self, event: str, call_id: str, **fields: Any) -> httpx.Response:
        return self.http.post("/api/events", json={"event": event, "callId": call_id, **fields})

    def get(self, path: str, **params: Any) -> Json:
        response = self.http.get(path, params=params)
        response.raise_for_status()
        return response.json()

    def put(self, path: str, body: Json) -> Json:
        response = self.http.put(path, json=body)
        response.raise_for_status()
        return response.json()

    def live_calls(self, *queues: str) -> dict[str, Json]:
        """The calls in progress, all pages, by id. Of all queues where none is named."""
        calls: dict[str, Json] = {}
        query: dict[str, Any] = {"status": "waiting,active,on_hold", "limit": 500}
        if queues:
            query["queueId"] = ",".join(queues)
        while True:
            page = self.get("/api/calls", **query)
            calls |= {call["id"]: call for call in page["data"]}
            if not page["nextCursor"]:
                return calls
            query["cursor"] = page["nextCursor"]

    def end_calls(self, *call_ids: str) -> None:
        for call_id in call_ids:
            self.post("call_ended", call_id, endReason="failed", duration=0)

    # --- things of a test's own: other tests use the cloud at the same time ---

    def new_call_id(self) -> str:
        return f"call-{self.name}-{next(self._numbers)}"

    def new_queue(self, language: str | None = "es", **settings: Any) -> str:
        """Set up a queue that no other test uses. Returns its id. `settings` as in the REST API."""
        queue_id = f"queue-{self.name}-{next(self._numbers)}"
        name = settings.pop("name", f"Queue {queue_id}")
        self.put(f"/api/queues/{queue_id}", {"name": name, "language": language, **settings})
        return queue_id

    def new_agent(self, *queues: str, languages: tuple[str, ...] = ("es",), status: str = "available") -> str:
        """Set up an agent who serves these queues only. Returns the agent's id."""
        number = next(self._numbers)
        agent_id = f"agent-{self.name}-{number}"
        body = {"name": f"Agent {number}", "languages": list(languages), "queues": list(queues), "status": status}
        self.put(f"/api/agents/{agent_id}", body)
        return agent_id

    # --- access ---

    def token(self, *queues: str, role: Role = "admin", ttl_seconds: float = 12 * 3600) -> str:
        """A token for these queues; for every queue where none is named."""
        key = self.files.secret("token-key")
        return tokens.mint(key, role=role, queues=queues or (EVERY_QUEUE,), ttl_seconds=ttl_seconds)

    def dashboard(self, *queues: str) -> str:
        """The address that opens the dashboard, signed in as an administrator of these queues."""
        return f"{self.status['dashboard'].partition('#')[0]}#token={self.token(*queues)}"

    # --- the feed ---

    @contextmanager
    def socket(self, *topics: str, token: str | None = None) -> Iterator[ClientConnection]:
        """A connection that is subscribed."""
        address = f"{self.status['websocket']}?{urlencode({'token': token or self.status['token']})}"
        with connect(address, open_timeout=FRAME_SECONDS) as socket:
            socket.send(json.dumps({"action": "subscribe", "topics": list(topics)}))
            assert receive(socket, lambda frame: frame["type"] == "subscribed")["topics"] == list(topics)
            yield socket


def receive(socket: ClientConnection, wanted: Callable[[Json], bool], seconds: float = FRAME_SECONDS) -> Json:
    """The first frame that is wanted; earlier ones are skipped. Raises TimeoutError where none comes for so long."""
    while True:
        frame = json.loads(socket.recv(timeout=seconds))
        if wanted(frame):
            return frame


def stop_leftovers(cloud: Cloud) -> None:
    cloud.close()
    if cloud.running():
        cloud.down()
        assert cloud.running() == []
