"""The settings of a function, and the only reader of the environment. Times in seconds."""

import os
from dataclasses import dataclass
from functools import cache


class SettingMissingError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"The environment variable {name} is not set: Lambda or template.yaml gives it to the functions."
        )


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    redis_url: str
    token_key: str
    token_key_name: str
    connections_url: str
    relay_function: str
    sweep_function: str
    aws_endpoint_url: str | None
    aws_region: str
    page_origin: str
    deferred_grace_seconds: float = 60
    sweep_seconds: float = 65  # a little longer than the schedule's minute, so that two overlap
    relay_shards: int = 1
    keep_months: int = 0  # of history, beside the current one; 0: all
    relay_seconds: float = 60  # how long a relay runs before it wakes its successor


@cache
def settings() -> Settings:
    """Read once, at first use and never at import, so that a module can be imported without a cloud."""
    return Settings(
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        token_key=os.environ.get("TOKEN_KEY", ""),
        token_key_name=os.environ.get("TOKEN_KEY_NAME", ""),
        connections_url=os.environ.get("CONNECTIONS_URL", ""),
        relay_function=os.environ.get("RELAY_FUNCTION", ""),
        sweep_function=os.environ.get("SWEEP_FUNCTION", ""),
        aws_endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        aws_region=os.environ.get("AWS_REGION", "us-east-1"),
        page_origin=os.environ.get("PAGE_ORIGIN", "*"),
        relay_shards=int(os.environ.get("RELAY_SHARDS", "1")),
        keep_months=int(os.environ.get("KEEP_MONTHS", "0")),
        relay_seconds=float(os.environ.get("RELAY_SECONDS", "60")),
    )


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What signs requests to AWS: the function's own role's keys."""

    key_id: str
    secret: str
    session_token: str
    """Empty where the keys belong to no session, as in the local cloud."""


def aws_keys() -> AwsKeys:
    """The keys that Lambda gives to the function. Raises `SettingMissingError`."""
    return AwsKeys(
        required("AWS_ACCESS_KEY_ID", os.environ.get("AWS_ACCESS_KEY_ID", "")),
        required("AWS_SECRET_ACCESS_KEY", os.environ.get("AWS_SECRET_ACCESS_KEY", "")),
        os.environ.get("AWS_SESSION_TOKEN", ""),
    )


def log_level() -> str:
    """Apart from the others: a function must be able to say that one of them is missing."""
    return os.environ.get("LOG_LEVEL", "INFO")


def xray_trace() -> str:
    """Of the invocation under way, as Lambda says it anew for each; empty where it is not traced."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")


def required(name: str, value: str) -> str:
    """Raises `SettingMissingError`: asked where it is used, for no function uses them all."""
    if not value:
        raise SettingMissingError(name)
    return value
