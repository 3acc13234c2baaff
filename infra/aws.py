"""Clients for AWS or an emulator of it."""

from typing import Any

import boto3
from botocore.config import Config

from infra.environment import environment
from infra.home import KEY_ID, Home

Credentials = dict[str, str]
"""`aws_access_key_id` and `aws_secret_access_key`, as `boto3.client` takes them."""


def client(
    service: str,
    region: str,
    endpoint_url: str | None = None,
    credentials: Credentials | None = None,
    config: Config | None = None,
) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes when it runs
    """A client for AWS with the user's own credentials, or for an emulator at `endpoint_url`."""
    if not endpoint_url:
        return boto3.client(service, region_name=region)
    path_style = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
    # The user's own credentials must not be sent to an emulator.
    keys = credentials or _credentials_for(endpoint_url)
    return boto3.client(
        service, region_name=region, endpoint_url=endpoint_url, config=path_style.merge(config or Config()), **keys
    )


def emulator_credentials(secret: str) -> Credentials:
    return {"aws_access_key_id": KEY_ID, "aws_secret_access_key": secret}


def _credentials_for(endpoint_url: str) -> Credentials:
    """Those of the local run if this is its address, else those of CLOUD_SECRET. Most emulators accept any."""
    state = Home.current().read_state()
    if state.get("aws") == endpoint_url.rstrip("/") and state.get("aws_credentials"):
        return state["aws_credentials"]
    return emulator_credentials(environment().get("CLOUD_SECRET") or "test")
