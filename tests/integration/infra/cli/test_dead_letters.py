"""`switchboard dead-letters` as a person types it, against the functions and against a queue like SQS's."""

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from infra.cli import app, dead_letters
from infra.client import Api as Client
from shared import wiring
from tests.support.calls import BASIC_EVENTS
from tests.support.rest import Api

INITIATED, ROUTED = BASIC_EVENTS[:2]


@pytest.fixture
def command(api: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, its requests answered by the functions in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        with redirect_stdout(StringIO()):  # a function's is its log, not the command's
            status, body, headers = api.call(request.method, request.url.path, request.content.decode(), query=query)
        return httpx.Response(status, json=body, headers={"content-type": headers["content-type"]})

    monkeypatch.setattr(
        dead_letters, "Api", lambda base, token: Client(base, token, transport=httpx.MockTransport(answer))
    )
    return lambda *words: run(*words, "--api", "http://here", "--token", "the fixture has its own")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words])


def give_up(api: Api, *events: dict[str, Any]) -> None:
    api.post(list(events))
    connection = wiring.database().connection()
    connection.execute("update events set state = 'dead', failed_at = now(), reason = 'It never came.'")


def test_they_are_listed_and_redriven(api: Api, command: Any) -> None:
    assert "no dead letters" in command("list").output
    give_up(api, ROUTED | {"eventId": "e-2"})
    assert "e-2  call_routed of call-1, unknown queue\n    It never came. Attempts: 1." in command("list").output
    assert json.loads(command("list", "--json").output)["body"]["agentId"] == "interpreter-01"

    api.post(INITIATED)
    done = command("redrive", "--all")
    assert (done.exit_code, done.output) == (0, "e-2  applied\n")
    assert "no dead letters" in command().output  # a list by default
    assert "no dead letters" in command("redrive", "--all").output


def test_a_failed_redrive_is_reported_and_exits_with_1(command: Any) -> None:
    done = command("redrive", "unknown")
    assert (done.exit_code, done.output) == (1, "unknown  There is no dead letter unknown.\n")
    assert command("redrive").exit_code == 1
    assert command("redrive", "a", "--all").exit_code == 1


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


def test_the_queue_s_own_dead_letters_go_back_to_it(sqs: Any) -> None:
    front, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("events", "events-dead"))
    bodies = [json.dumps({"number": number}) for number in range(25)]
    ids = [sqs.send_message(QueueUrl=dead, MessageBody=body)["MessageId"] for body in bodies]

    listed = run("list", "--queue-url", front, "--json")
    assert sorted(json.loads(line)["id"] for line in listed.output.splitlines()) == sorted(ids)
    assert run("redrive", ids[3], "--queue-url", front).exit_code == 0
    assert sqs.receive_message(QueueUrl=front)["Messages"][0]["Body"] == bodies[3]
    assert run("redrive", "--all", "--queue-url", front).exit_code == 0
    assert "no dead letters" in run("list", "--queue-url", front).output
