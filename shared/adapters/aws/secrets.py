"""Reads a secret from Secrets Manager or the SSM Parameter Store, with the function's role."""

import http.client
import json
from typing import Any
from urllib.parse import SplitResult, urlsplit

from shared.adapters.aws.sigv4 import Signer

TIMEOUT_SECONDS = 3.0
_JSON = "application/x-amz-json-1.1"


class SecretError(Exception):
    """The secret could not be read. The message contains the reason, never the secret."""


def fetch(name: str, region: str, endpoint_url: str | None) -> str:
    """The text of a secret. `/a/path` and ARNs of parameters are read from SSM, other names from Secrets Manager.

    Raises `SecretError`.
    """
    if name.startswith("/") or ":ssm:" in name:
        answer = _call("ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True}, region, endpoint_url)
        return str(answer["Parameter"]["Value"])
    answer = _call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name}, region, endpoint_url)
    return str(answer["SecretString"])


def _call(service: str, action: str, body: dict[str, Any], region: str, endpoint_url: str | None) -> dict[str, Any]:
    url = endpoint_url or f"https://{service}.{region}.amazonaws.com/"
    content = json.dumps(body).encode()
    headers = {"Content-Type": _JSON, "X-Amz-Target": action}
    try:
        status, answer = _post(urlsplit(url), content, Signer(service, region).headers("POST", url, content, headers))
        if status != 200:
            raise SecretError(f"{service} answered {status}: {json.loads(answer).get('__type', 'no reason given')}")
        return json.loads(answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SecretError(f"{service} could not be reached: {type(error).__name__}") from error


def _post(url: SplitResult, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    client = kind(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        client.request("POST", url.path or "/", body, headers)
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()
