"""Which trace a request is in, by its caller's word, by AWS's, or its own."""

import pytest

from shared.adapters.aws import lambda_handler
from shared.adapters.telemetry import json_log
from shared.contracts.trace import continue_trace, from_xray, new_traceparent, parse_traceparent, trace_id
from shared.usecases import tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
XRAY = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("reported", "taken"),
    [
        (GIVEN, GIVEN),
        (f"  {GIVEN} ", GIVEN),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", GIVEN),  # of flags that may be invented, we pass on the one that we know
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", GIVEN),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (GIVEN.upper(), None),
        (f"{GIVEN},{GIVEN}", None),
        (f"{GIVEN}\n", GIVEN),
        ("nonsense", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_traceparent_is_read_as_the_standard_says(reported: object, taken: str | None) -> None:
    assert parse_traceparent(reported) == taken


@pytest.mark.parametrize(
    ("reported", "taken"),
    [
        (f"{XRAY};Parent={SPAN};Sampled=1", GIVEN),
        (f"{XRAY};Parent={SPAN};Sampled=0", f"00-{TRACE}-{SPAN}-00"),
        (f"Self=1-67891234-12456789abcdef012345678;{XRAY};Parent={SPAN};Sampled=1;Lineage=a87bd80c:1", GIVEN),
        ("Root=1-4bf92f35", None),
        ("Root=1-00000000-000000000000000000000000", None),
        ("", None),
    ],
)
def test_aws_s_own_header_is_read(reported: str, taken: str | None) -> None:
    assert from_xray(reported) == taken


def test_a_root_without_a_parent_has_a_span_all_the_same() -> None:
    found = from_xray(XRAY)
    assert found
    assert parse_traceparent(found) == found
    assert trace_id(found) == TRACE


def test_a_trace_goes_on_with_a_span_of_ours_or_begins() -> None:
    ours = continue_trace(f"00-{TRACE}-{SPAN}-00")
    assert (trace_id(ours), ours[-2:]) == (TRACE, "00")
    assert SPAN not in ours
    for fresh in (continue_trace(None), new_traceparent()):
        assert parse_traceparent(fresh) == fresh
    assert trace_id(new_traceparent()) != trace_id(new_traceparent())


def test_a_trace_comes_from_the_caller_then_aws_then_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    with lambda_handler.traced("r", GIVEN) as traceparent:
        assert tracing.current() == traceparent
        assert json_log.current() == {"request_id": "r", "trace_id": TRACE}
    with lambda_handler.traced("r", "nonsense") as one, lambda_handler.traced("r") as other:
        assert trace_id(one) != trace_id(other)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{XRAY};Parent={SPAN};Sampled=1")
    with lambda_handler.traced("r") as traceparent:
        assert trace_id(traceparent) == TRACE


def test_apart_from_any_request_each_look_begins_a_trace() -> None:
    with tracing.under(GIVEN):
        assert tracing.current() == tracing.current() == GIVEN
        with tracing.under(None):
            assert len({tracing.current(), tracing.current(), GIVEN}) == 3
