"""`switchboard send`: what is told as an event."""

from typer.testing import CliRunner

from infra.cli import app


def test_a_file_that_is_not_there_is_no_event() -> None:
    nowhere = ["--api", "http://127.0.0.1:1", "--token", "any"]
    done = CliRunner().invoke(app, ["send", "call.json", *nowhere])
    assert (done.exit_code, "There is no file call.json." in done.output) == (1, True)
