"""The settings of a function. This is the only module that reads the environment."""

import os
from dataclasses import dataclass
from functools import cache


class SettingMissingError(Exception):
    """An environment variable is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The environment variable {name} is not set. Lambda or template.yaml sets it for the functions."
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, each from the environment variable of its name."""

    database_url: str
    """Postgres, with the role of this function."""
    redis_url: str
    token_key: str
    """Key that signs tokens; empty if `token_key_name` is set."""
    token_key_name: str
    """Name of the key in AWS Secrets Manager."""
    connections_url: str
    """Endpoint of API Gateway's connections, through which the relay posts frames."""
    relay_function: str
    """Name of the function that runs a relay."""
    sweep_function: str
    """Name of the function that runs a sweep."""
    aws_endpoint_url: str | None
    """Endpoint of a local cloud; None for AWS."""
    aws_region: str
    page_origin: str
    """Origin of the dashboard, the only one that browsers may call from."""
    deferred_grace_seconds: float = 60
    """Time that a deferred event waits for its predecessor before it becomes a dead letter."""
    sweep_seconds: float = 65
    """Duration of a sweep: a little longer than the schedule's minute, so that two sweeps overlap."""
    relay_shards: int = 1
    """Number of relays that share the queues."""
    keep_months: int = 0
    """Months of ended calls to keep beside the current one; 0 keeps all."""
    relay_seconds: float = 60
    """Time that a relay runs before it wakes its successor."""


@cache
def settings() -> Settings:
    """Read the settings once, at the first use. Importing this module needs no environment."""
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
    """The keys of the function's role, which sign requests to AWS."""

    key_id: str
    secret: str
    session_token: str
    """Empty for keys without a session, as in a local cloud."""


def aws_keys() -> AwsKeys:
    """Return the keys that Lambda sets for the function. Raises `SettingMissingError`."""
    return AwsKeys(
        required("AWS_ACCESS_KEY_ID", os.environ.get("AWS_ACCESS_KEY_ID", "")),
        required("AWS_SECRET_ACCESS_KEY", os.environ.get("AWS_SECRET_ACCESS_KEY", "")),
        os.environ.get("AWS_SESSION_TOKEN", ""),
    )


def log_level() -> str:
    """Return the log level. It is not in `Settings`, because a missing setting must be logged."""
    return os.environ.get("LOG_LEVEL", "INFO")


def xray_trace() -> str:
    """Return the X-Ray trace of the current invocation; empty if it is not traced."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")


def required(name: str, value: str) -> str:
    """Return a value that must not be empty. Raises `SettingMissingError`. No function needs all settings."""
    if not value:
        raise SettingMissingError(name)
    return value
