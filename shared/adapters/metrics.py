"""Figures for alarms, in CloudWatch's embedded metric format. docs/operations.md has a line for each.

Kept until the invocation ends, or while a long one goes on for some seconds, and written as one line of the log.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum

import orjson

NAMESPACE = "Switchboard"
MANY = 100  # values of one metric at a time, by the format's rule


class Metric(StrEnum):
    """Name and unit, as CloudWatch knows units."""

    def __new__(cls, name: str, unit: str) -> "Metric":
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.unit = unit
        return metric

    unit: str

    EVENTS_APPLIED = "EventsApplied", "Count"
    EVENTS_PARKED = "EventsParked", "Count"
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
        told = {metric: [total] for metric, total in _counts.items()}
        told |= {metric: values[:MANY] for metric, values in _values.items()}
        sys.stdout.write(f"{_document(told).decode()}\n")
        _counts.clear()
        rest = {metric: values[MANY:] for metric, values in _values.items() if len(values) > MANY}
        _values.clear()
        _values.update(rest)


def _document(told: Mapping[Metric, Sequence[float]]) -> bytes:
    """As CloudWatch's "Specification: Embedded metric format" has it."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service"]],
        "Metrics": [{"Name": metric.value, "Unit": metric.unit} for metric in told],
    }
    figures = {metric.value: values for metric, values in told.items()}
    aws = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    return orjson.dumps({"_aws": aws, "service": _service} | figures)
