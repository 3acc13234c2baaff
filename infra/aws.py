"""Clients for AWS, or for an emulator that speaks like it."""

from typing import Any

import boto3
from botocore.config import Config


def client(service: str, region: str, endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes when it runs
    if not endpoint_url:
        return boto3.client(service, region_name=region)
    # An emulator needs credentials, any; the person's own must not be sent to it.
    path_style = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
    return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=path_style,
                        aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
