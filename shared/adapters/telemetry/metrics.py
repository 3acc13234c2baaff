"""Metrics for alarms, in CloudWatch's embedded metric format.

They are collected until the invocation ends, or for some seconds of a long one, and written as one line of the log.
"""

import sys
from collections import defaultdict
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

NAMESPACE = "Switchboard"
MAX_VALUES = 100  # of one metric in a line, by the format


class Metric(StrEnum):
    """Name and CloudWatch unit."""

    def __new__(cls, name: str, unit: str) -> "Metric":
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.unit = unit
        return metric

    unit: str

    EVENTS_APPLIED = "EventsApplied", "Count"
    EVENTS_DEFERRED = "EventsDeferred", "Count"
    EVENTS_REPLAYED = "EventsReplayed", "Count"
    EVENTS_REFUSED = "EventsRefused", "Count"
    UNAVAILABLE = "Unavailable", "Count"
    FAILURES = "Failures", "Count"
    TIMER_LATENESS = "TimerLateness", "Seconds"
    OUTBOX_AGE = "OutboxAge", "Seconds"
    REPUBLISHED = "Republished", "Count"
    LISTENERS = "Listeners", "Count"
    POSTS = "Posts", "Count"
    POSTS_GONE = "PostsGone", "Count"
    POSTS_BUSY = "PostsBusy", "Count"
    DEAD_LETTERS = "DeadLetters", "Count"
    AGENT_TIME_BEHIND = "AgentTimeBehind", "Count"
    COMMIT_TO_SOCKET = "CommitToSocket", "Milliseconds"


_counts: dict[Metric, float] = defaultdict(float)
_values: dict[Metric, list[float]] = defaultdict(list)
_service = "switchboard"


def set_service(service: str) -> None:
    """The service dimension of this process's metrics."""
    global _service  # noqa: PLW0603 - one process is one service
    _service = service


def count(metric: Metric, by: float = 1) -> None:
    """Add to a sum. A sum of 0 is written too: no value means that the function did not run."""
    _counts[metric] += by


def observe(metric: Metric, value: float) -> None:
    """Record one value, for a maximum or a percentile."""
    _values[metric].append(value)


def flush() -> None:
    while _counts or _values:
        written = {metric.value: _of(metric, [total]) for metric, total in _counts.items()}
        written |= {metric.value: _of(metric, values[:MAX_VALUES]) for metric, values in _values.items()}
        rest = {metric: values[MAX_VALUES:] for metric, values in _values.items() if len(values) > MAX_VALUES}
        _counts.clear()
        _values.clear()
        _values.update(rest)
        # Not by the library's `add_metric`, which would validate each name and unit for each request.
        document = _format(_service).serialize_metric_set(written, {"service": _service}, {})  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
        sys.stdout.write(orjson.dumps(document).decode() + "\n")


def _of(metric: Metric, values: list[float]) -> dict[str, Any]:
    return {"Unit": metric.unit, "Value": values}


@cache
def _format(service: str) -> "AmazonCloudWatchEMFProvider":
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    # Empty sets, because `flush` passes the metrics.
    return AmazonCloudWatchEMFProvider(metric_set={}, dimension_set={}, namespace=NAMESPACE, service=service)
