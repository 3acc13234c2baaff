"""Reads a secret by its name, from Secrets Manager or from SSM's parameters, with the function's own role."""

import http.client
import json
from typing import Any
from urllib.parse import SplitResult, urlsplit

from shared.adapters.aws.sigv4 import Signer

TIMEOUT_SECONDS = 3.0
_JSON = "application/x-amz-json-1.1"


class SecretError(Exception):
    """It could not be read. The message says why, and never what it holds."""


def fetch(name: str, region: str, endpoint_url: str | None) -> str:
    """The text under a name. `/a/path` and a parameter's ARN are SSM's; all else is a secret's name or ARN.

    Raises `SecretError`.
    """
    if name.startswith("/") or ":ssm:" in name:
        answer = _ask("ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True}, region, endpoint_url)
        return str(answer["Parameter"]["Value"])
    answer = _ask("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name}, region, endpoint_url)
    return str(answer["SecretString"])


def _ask(service: str, action: str, body: dict[str, Any], region: str, endpoint_url: str | None) -> dict[str, Any]:
    url = endpoint_url or f"https://{service}.{region}.amazonaws.com/"
    sent = json.dumps(body).encode()
    named = {"Content-Type": _JSON, "X-Amz-Target": action}
    try:
        status, answer = _post(urlsplit(url), sent, Signer(service, region).headers("POST", url, sent, named))
        if status != 200:
            raise SecretError(f"{service} answered {status}: {json.loads(answer).get('__type', 'no reason given')}")
        return json.loads(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SecretError(f"{service} could not be asked: {type(error).__name__}") from error


def _post(url: SplitResult, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    client = kind(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        client.request("POST", url.path or "/", body, headers)
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()
