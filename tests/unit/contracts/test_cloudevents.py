"""CloudEvents 1.0: the fields of the envelope, and problems in the sender's terms."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.contracts.base import Id
from shared.contracts.cloudevents import event_id, open_envelope
from shared.contracts.events import parse_event
from shared.contracts.problems import ProblemError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENVELOPE = {
    "specversion": "1.0",
    "id": "42",
    "source": "/pbx/north",
    "type": "com.voycelink.call_initiated",
    "time": "2026-01-31T11:59:58Z",
    "subject": "call-1",
    "data": {"type": "voice", "queueId": "medical_spanish"},
}


def test_the_envelope_supplies_fields_missing_from_the_data() -> None:
    event, _ = open_envelope(ENVELOPE)
    assert event == {
        "event": "call_initiated",
        "eventId": "42@=2Fpbx=2Fnorth",
        "occurredAt": "2026-01-31T11:59:58Z",
        "callId": "call-1",
        "type": "voice",
        "queueId": "medical_spanish",
    }
    assert parse_event(event, NOW).event == "call_initiated"


def test_the_data_has_the_last_word_on_time_and_call() -> None:
    own = {"callId": "call-2", "occurredAt": "2026-01-31T11:00:00Z"}
    event, _ = open_envelope(ENVELOPE | {"data": ENVELOPE["data"] | own})
    assert event.items() >= own.items()


def test_the_bare_name_of_an_event_is_a_type_as_well() -> None:
    assert open_envelope(ENVELOPE | {"type": "call_ended"})[0]["event"] == "call_ended"


WORDS = st.text(st.characters(exclude_categories=["C"]), min_size=1)


@given(WORDS, WORDS, WORDS, WORDS)
def test_no_two_pairs_of_source_and_id_make_one_event_id(source: str, own: str, source_2: str, own_2: str) -> None:
    assert (event_id(source, own) == event_id(source_2, own_2)) is ((source, own) == (source_2, own_2))
    TypeAdapter(Id).validate_python(event_id(source, own))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 42}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"source": None}, "source"),
        ({"type": None}, "type"),
        ({"type": "com.voycelink.call_exploded"}, "type"),
        ({"type": "com.voycelink."}, "type"),
        ({"time": "yesterday"}, "time"),
        ({"time": 5}, "time"),
        ({"subject": "a/b"}, "subject"),
        ({"subject": None}, "data.callId"),
        ({"data": None}, "data"),
        ({"data": "{}"}, "data"),
        ({"data": []}, "data"),
        ({"data": {"type": "fax", "queueId": "q"}}, "data.type"),
        ({"data": {"type": "voice"}}, "data.queueId"),
        ({"data": {"eventId": "mine"}}, "data.eventId"),
        ({"data": {"event": "call_ended"}}, "data.event"),
        ({"data_base64": "e30="}, "data_base64"),
        ({"datacontenttype": "text/xml"}, "datacontenttype"),
    ],
)
def test_a_problem_names_the_sender_s_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ProblemError) as caught:
        event, retold = open_envelope(ENVELOPE | change)
        try:
            parse_event(event, NOW)
        except ProblemError as error:
            raise ProblemError(retold(error.problem)) from None
    problem = caught.value.problem
    assert (problem.status, problem.errors[0].field) == (400, field)
    assert field in problem.detail
