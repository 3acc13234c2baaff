"""What a line of the log holds, and what never."""

import io
import json
import logging
from collections.abc import Iterator

import psycopg
import pytest
from pydantic import BaseModel, ValidationError

from shared.adapters.aws import lambda_handler
from shared.adapters.telemetry import json_log, metrics


class Lines:
    def __init__(self) -> None:
        self.written = io.StringIO()

    def read(self) -> list[dict]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    lines, root = Lines(), logging.getLogger()
    before = root.handlers[:]
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", lines.written)
        json_log.configure("tests", "INFO")
    yield lines
    root.handlers[:] = before


def test_every_line_within_carries_the_ids(lines: Lines) -> None:
    logger = logging.getLogger("somewhere")
    with json_log.context(trace_id="t", request_id=None):
        logger.info("one", extra={"call_id": "call-1"})
        with json_log.context(request_id="r"):
            logger.info("two")
    logger.info("three")
    one, two, three = lines.read()
    assert (one["trace_id"], one["call_id"], one["service"]) == ("t", "call-1", "tests")
    assert (two["trace_id"], two["request_id"]) == ("t", "r")
    assert "trace_id" not in three
    assert "request_id" not in one


def test_an_id_that_no_text_can_carry_costs_no_line(lines: Lines) -> None:
    logging.getLogger("somewhere").info("refused", extra={"call_id": "\ud800 é"})
    assert lines.written.getvalue().encode()
    assert lines.read()[0]["call_id"] == "\ud800 é"


def test_a_number_that_no_other_language_holds_costs_no_line(lines: Lines) -> None:
    logging.getLogger("somewhere").info("seen", extra={"found": 2**70})
    assert lines.read()[0]["found"] == 2**70


def test_an_error_shows_its_place_and_no_values(lines: Lines) -> None:
    class Strict(BaseModel):
        number: int

    def fail() -> None:
        try:
            Strict.model_validate({"number": "personal data"})
        except ValidationError as error:
            raise KeyError("call-1") from error

    try:
        fail()
    except KeyError:
        logging.getLogger("x").exception("Unexpected failure")
    (line,) = lines.read()
    assert "personal data" not in json.dumps(line)
    assert "1 validation errors" in line["exception"]
    assert "KeyError: 'call-1'" in line["exception"]
    assert "test_json_log.py" in line["exception"]


def test_rows_that_postgres_quotes_are_left_out(database_url: str, lines: Lines) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        try:
            connection.execute("insert into queues (id, name, sla_seconds) values ('a', 'personal data', -1)")
        except psycopg.Error:
            logging.getLogger("x").exception("Unexpected failure")
    (line,) = lines.read()
    assert "violates check constraint" in line["exception"]
    assert "personal data" not in json.dumps(line)


def test_a_failing_function_raises_no_personal_data(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    @lambda_handler.monitored
    def handler(_event: object, _context: object) -> None:
        raise ValueError("a line\npersonal data")

    metrics.flush()  # other tests of this process leave more metrics than one line holds
    capsys.readouterr()
    with pytest.raises(lambda_handler.FunctionFailedError, match="ValueError") as raised:
        handler({}, None)
    assert "personal" not in str(raised.value)
    (failure,) = lines.read()
    assert failure["message"] == "Unexpected failure"
    assert "personal" not in json.dumps(failure)
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["Failures"], figures["_aws"]["CloudWatchMetrics"][0]["Namespace"]) == ([1.0], "Switchboard")
