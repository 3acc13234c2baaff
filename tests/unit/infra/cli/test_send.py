"""`switchboard send`: the event, and the address that it is sent to."""

import os

import pytest
from typer.testing import CliRunner

from infra.cli import app


def test_a_file_that_is_not_there_is_no_event() -> None:
    nowhere = ["--api", "http://127.0.0.1:1", "--token", "any"]
    done = CliRunner().invoke(app, ["send", "call.json", *nowhere])
    assert (done.exit_code, "There is no file call.json." in done.output) == (1, True)


def test_a_pipe_is_read_as_a_file_is() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "w") as message:
        message.write("no event")
        message.close()
        nowhere = ["--api", "http://127.0.0.1:1", "--token", "any"]
        done = CliRunner().invoke(app, ["send", f"/dev/fd/{reader}", *nowhere])
    assert (done.exit_code, "This is not JSON" in done.output) == (1, True)


@pytest.mark.parametrize("command", ["send", "tail", "doctor", "simulate", "dead-letters"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"--api": "nonsense"}, "--api nonsense is not an address"),
        ({"--api": "http://[::1"}, "--api http://[::1 is not an address"),
        ({"--api": "http://floor:99999"}, "--api http://floor:99999 is not an address"),
        ({"--api": "ftp://floor"}, "--api ftp://floor is not an address"),
        ({"--token": "jürgen"}, "The token has invalid characters."),
        ({"--token": "one\ntwo"}, "The token has invalid characters."),
    ],
)
def test_an_impossible_address_is_refused_at_once(command: str, wrong: dict[str, str], message: str) -> None:
    options = {"--api": "http://127.0.0.1:1", "--token": "any"} | wrong
    event = ["call_ended"] if command == "send" else []
    done = CliRunner().invoke(app, [command, *event, *(part for option in options.items() for part in option)])
    assert (done.exit_code, message in done.output) == (1, True), done.output


def test_a_websocket_that_is_none_is_refused_at_once() -> None:
    options = ["--api", "http://127.0.0.1:1", "--token", "any", "--websocket", "http://floor"]
    done = CliRunner().invoke(app, ["tail", *options])
    assert (done.exit_code, "--websocket http://floor is not an address" in done.output) == (1, True), done.output
