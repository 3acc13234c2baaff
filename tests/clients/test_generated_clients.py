"""Clients that others generate from docs/openapi.json, used against the running cloud; and what validators say."""

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.environment import environment
from infra.toolchain import dashboard
from tests.support.cloud import Cloud
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.contract

HERE = Path(__file__).parent
OPENAPI = REPOSITORY / "docs" / "openapi.json"
PYTHON_GENERATOR = "openapi-python-client==0.29.0"
TYPES = ["call_initiated", "call_routed", "call_answered", "call_hold", "call_ended"]
QUEUE, AGENT = "medical_spanish", "interpreter-07"


def npm_run(*script: str) -> str:
    """What a script of package.json prints. Fails if the script does."""
    dashboard.install(HERE)
    done = dashboard.run_npm("run", "--silent", *script, folder=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the client that openapi-python-client generates, by its name in the package.

    The generator runs in an environment of its own, because its dependencies are not ours.
    """
    folder = tmp_path_factory.mktemp("generated")
    uvx = Path(sys.executable).with_name("uvx")
    command = [uvx, "--quiet", "--python", sys.executable, "--from", PYTHON_GENERATOR, "openapi-python-client"]
    options = ["generate", "--path", OPENAPI, "--output-path", folder / "client", "--fail-on-warning"]
    done = subprocess.run(
        [*command, *options], env=environment(UV_SYSTEM_CERTS="1"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "client")
        yield lambda name: importlib.import_module(f"switchboard_client.{name}")


def test_the_python_client_sends_events_and_reads(cloud: Cloud, module: Callable[[str], Any]) -> None:
    models, send = module("models"), module("api.events.send_events")
    listing, reading, history = (module(f"api.calls.{name}") for name in ("list_calls", "get_call", "list_call_events"))
    figures, call_id = module("api.metrics.get_metrics"), cloud.new_call_id()
    events = [
        models.CallInitiated(event=TYPES[0], call_id=call_id, type_=models.CallInitiatedType.VOICE, queue_id=QUEUE),
        models.CallRouted(event=TYPES[1], call_id=call_id, agent_id=AGENT, routing_time=1.5),
        models.CallAnswered(event=TYPES[2], call_id=call_id, agent_id=AGENT, wait_time=8.2),
        models.CallHold(event=TYPES[3], call_id=call_id, hold_duration=0),
        models.CallEnded(event=TYPES[4], call_id=call_id, end_reason=models.CallEndedEndReason.COMPLETED, duration=420),
    ]
    status = models.ListCallsStatusItem
    with module("client").AuthenticatedClient(cloud.status["api"], cloud.status["token"]) as client:
        sent = [send.sync(client=client, body=event) for event in events]
        assert [(type(answer), answer.outcome.value) for answer in sent] == [(models.CallAnswer, "applied")] * 5

        page = listing.sync(client=client, id=call_id, status=[status.WAITING, status.ENDED])
        assert isinstance(page, models.CallPage)
        assert [(call.id, call.status.value) for call in page.data] == [(call_id, "ended")]
        assert isinstance(listing.sync(client=client, since=page.position), models.Changes)
        selected = listing.sync(client=client, id=call_id, fields=[models.ListCallsFieldsItem.STATUS])
        assert isinstance(selected, models.SelectedCallPage)
        assert [call.status.value for call in selected.data] == ["ended"]

        assert reading.sync(call_id, client=client).end_reason.value == "completed"
        assert [event.type_ for event in history.sync(call_id, client=client).data] == TYPES
        rows = figures.sync(client=client, queue_id=[QUEUE], group_by=[models.GetMetricsGroupByItem.QUEUE]).data
        assert [row.queue_id for row in rows] == [QUEUE]
        assert rows[0].handled > 0

        late = send.sync(client=client, body=events[3])
        assert isinstance(late, models.Problem)
        assert (late.status, late.errors[0].field) == (409, "event")
        batch = send.sync(client=client, body=events[:2])
        assert isinstance(batch, models.BatchAnswer)
        assert [result.status for result in batch.results] == [409, 409]

    with module("client").AuthenticatedClient(cloud.status["api"], "not-a-token") as client:
        refused = reading.sync(call_id, client=client)
        assert isinstance(refused, models.Problem)
        assert refused.status == 401


def test_the_typescript_client_sends_events_and_reads(cloud: Cloud) -> None:
    shutil.rmtree(HERE / "generated", ignore_errors=True)
    npm_run("generate")
    npm_run("typecheck")
    call_id = cloud.new_call_id()
    read = json.loads(npm_run("use", "--", cloud.status["api"], cloud.status["token"], call_id))
    handled = dict(read.pop("handled"))
    assert read == {
        "outcomes": ["applied"] * 5,
        "listed": [[call_id, "ended"]],
        "selected": ["id", "status"],
        "reset": False,
        "status": "ended",
        "history": TYPES,
        "refusals": [409, "Not found"],
    }
    assert handled[QUEUE] > 0


def test_redocly_reports_no_error() -> None:
    npm_run("lint")


def test_the_asyncapi_parser_reports_no_error() -> None:
    npm_run("asyncapi")
