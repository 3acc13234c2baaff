"""Authorizes REST requests and `$connect` by their token. The functions check the token again."""

from typing import Any

from shared.adapters.auth import signing_keys, tokens
from shared.adapters.telemetry import json_log
from shared.settings import log_level

_log = json_log.configure("authorizer", log_level())
Json = dict[str, Any]


class UnauthorizedError(Exception):
    """API Gateway answers 401 to exactly this message, and 500 to any other."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize(event: Json, _context: object) -> Json:
    """A policy for the holder of the token. Raises `UnauthorizedError`, and `SecretError` if no key is available."""
    try:
        principal = signing_keys.authenticate(_token(event))
    except tokens.TokenError as error:
        _log.info("rejected: %s", error)
        if event.get("requestContext", {}).get("routeKey") == "$connect":
            return _policy("unknown", "Deny", event["methodArn"])  # 403; some gateways answer 500 to an exception
        raise UnauthorizedError from None
    context = {"role": principal.role, "queues": " ".join(sorted(principal.queues)), "expiresAt": principal.expires_at}
    return _policy(principal.role, "Allow", event["methodArn"]) | {"context": context}


def _token(event: Json) -> str:
    """From a request's header, or a WebSocket's query, because browsers send no headers with it."""
    given: dict[str, str] = event.get("headers") or {}
    headers = {name.lower(): value for name, value in given.items()}
    sent: str = event.get("authorizationToken") or headers.get("authorization") or ""
    scheme, _, token = sent.partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    parameters: Json = event.get("queryStringParameters") or {}
    return str(parameters.get("token") or "") if not sent else ""


def _policy(principal: str, effect: str, method_arn: str) -> Json:
    """For the whole stage: API Gateway keeps it for the token, and must not refuse the next route by this one's."""
    api, stage, *_ = method_arn.split("/")
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api}/{stage}/*"}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
