"""What the gateway answers by itself: problem documents like those of the functions, readable by a page."""

import httpx
import pytest

from tests.support.cloud import Cloud
from tests.support.problems import PAGE, assert_problem


@pytest.mark.parametrize("token", [None, "not-a-token", "Bearer", "Bearer not-a-token"])
def test_a_missing_or_invalid_token_gets_401(cloud: Cloud, token: str | None):
    headers = PAGE | ({"Authorization": token} if token else {})
    answer = httpx.get(f"{cloud.status['api']}/api/calls", headers=headers, trust_env=False, timeout=60)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_unknown_address_or_method_gets_404(cloud: Cloud):
    api = cloud.status["api"]
    for method, path in (
        ("GET", "/api/nothing"),
        ("GET", "/nothing"),
        ("DELETE", "/api/calls"),
        ("POST", "/api/calls"),
    ):
        assert_problem(cloud.http.request(method, path, headers=PAGE), 404)
        assert_problem(httpx.request(method, f"{api}{path}", headers=PAGE, trust_env=False, timeout=60), 404)


def test_a_function_s_own_refusals_have_the_same_form(cloud: Cloud):
    assert_problem(cloud.http.get("/api/calls/no-such-call", headers=PAGE), 404)
    assert_problem(cloud.http.post("/api/events", json={"event": "none"}, headers=PAGE), 400)
