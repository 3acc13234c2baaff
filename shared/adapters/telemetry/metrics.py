"""Figures for alarms, in CloudWatch's embedded metric format. docs/operations.md has a line for each.

Kept until the invocation ends, or while a long one goes on for some seconds, and written as one line of the log.
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
MANY = 100  # values of one metric in a line, at most, says the format


class Metric(StrEnum):
    """Name and unit, as CloudWatch knows units."""

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


def serve(service: str) -> None:
    """Under which service this process's figures are found."""
    global _service  # noqa: PLW0603 - one process is one service
    _service = service


def count(metric: Metric, by: float = 1) -> None:
    """Add to a sum. A sum of 0 is written too, so that silence is told from health."""
    _counts[metric] += by


def observe(metric: Metric, value: float) -> None:
    """Note one value of many, for a maximum or a percentile."""
    _values[metric].append(value)


def flush() -> None:
    while _counts or _values:
        found = {metric.value: _of(metric, [total]) for metric, total in _counts.items()}
        found |= {metric.value: _of(metric, values[:MANY]) for metric, values in _values.items()}
        rest = {metric: values[MANY:] for metric, values in _values.items() if len(values) > MANY}
        _counts.clear()
        _values.clear()
        _values.update(rest)
        # The library's `add_metric` would check again, for each request, what a `Metric` is by its type.
        words = _format(_service).serialize_metric_set(found, {"service": _service}, {})  # pyright: ignore[reportUnknownMemberType] - partly typed upstream
        sys.stdout.write(orjson.dumps(words).decode() + "\n")


def _of(metric: Metric, values: list[float]) -> dict[str, Any]:
    return {"Unit": metric.unit, "Value": values}


@cache
def _format(service: str) -> "AmazonCloudWatchEMFProvider":
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    # None of the library's own stores: what it is given to write is all that it knows.
    return AmazonCloudWatchEMFProvider(metric_set={}, dimension_set={}, namespace=NAMESPACE, service=service)
