"""MiniStack with the gateway responses of an API's own body, and its answer for a function that has none."""

import asyncio
import json
from typing import Any

import pytest
from ministack.services import apigateway_v1

from infra.local import gateway_responses

STAGE = "live"
RESPONSES = {
    name: {
        "statusCode": status,
        "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
        "responseTemplates": {"application/json": f'{{"status":{status}}}'},
    }
    for name, status in {"THROTTLED": 429, "DEFAULT_5XX": 500, "MISSING_AUTHENTICATION_TOKEN": 404}.items()
}
PROXY = {"type": "aws_proxy", "httpMethod": "POST", "uri": "arn:aws:lambda:us-east-1:000000000000:function:own"}
SPEC = {
    "openapi": "3.0.1",
    "info": {"title": "gateway responses", "version": "1"},
    "paths": {"/own": {"get": {"x-amazon-apigateway-integration": PROXY}}},
    gateway_responses.EXTENSION: RESPONSES,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> str:
    """An API with one function and one stage. Returns its id."""
    for name in ("_import_rest_api", "_lambda_proxy_response", "_invoke_lambda_proxy_v1"):
        monkeypatch.setattr(apigateway_v1, name, getattr(apigateway_v1, name))
    gateway_responses.install()
    api_id = apigateway_v1._import_rest_api(SPEC)
    apigateway_v1._create_deployment(api_id, {"stageName": STAGE})
    return api_id


def ask(api: str, path: str) -> tuple[int, str, Any]:
    status, headers, body = asyncio.run(apigateway_v1.handle_execute(api, STAGE, "GET", path, {}, b"", {}))
    return status, headers["Content-Type"], json.loads(body)


def test_a_route_that_does_not_exist_gets_the_api_s_own_answer(api: str):
    assert ask(api, "/none") == (404, "application/problem+json", {"status": 404})


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"throttle": True, "error": True, "body": {"message": "Rate Exceeded."}}, 429),
        ({"error": True, "body": {"errorMessage": "it failed"}}, 500),
    ],
    ids=["throttled", "failed"],
)
def test_a_function_without_an_answer_gets_the_gateway_s(
    api: str, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], status: int
):
    async def call(*_: Any, **__: Any) -> tuple[dict[str, Any], None]:
        return result, None

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", call)
    assert ask(api, "/own") == (status, "application/problem+json", {"status": status})


def test_a_function_s_own_answer_is_passed_on(api: str, monkeypatch: pytest.MonkeyPatch):
    async def call(*_: Any, **__: Any) -> tuple[dict[str, Any], None]:
        return {"body": {"statusCode": 502, "headers": {"content-type": "text/x"}, "body": '"own"'}}, None

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", call)
    status, headers, body = asyncio.run(apigateway_v1.handle_execute(api, STAGE, "GET", "/own", {}, b"", {}))
    assert (status, headers, body) == (502, {"content-type": "text/x"}, b'"own"')


def test_a_gateway_response_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="NO_SUCH_TYPE"):
        gateway_responses.import_rest_api({**SPEC, gateway_responses.EXTENSION: {"NO_SUCH_TYPE": {}}})
