"""Figures for alarms, in CloudWatch's embedded metric format. docs/operations.md has a line for each.

Kept until the invocation ends, or while a long one goes on for some seconds, and written as one line of the log.
"""

from collections import defaultdict
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import EphemeralMetrics

NAMESPACE = "Switchboard"
MANY = 99  # values of one metric at a time: at 100 the library writes them by itself, and has none left to write


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
        sink = _sink(_service)
        for metric, total in _counts.items():
            sink.add_metric(metric.value, metric.unit, total)
        for metric, values in _values.items():
            for value in values[:MANY]:
                sink.add_metric(metric.value, metric.unit, value)
        _counts.clear()
        rest = {metric: values[MANY:] for metric, values in _values.items() if len(values) > MANY}
        _values.clear()
        _values.update(rest)
        sink.flush_metrics()


@cache
def _sink(service: str) -> "EphemeralMetrics":
    from aws_lambda_powertools.metrics import EphemeralMetrics  # not before there is something to write

    return EphemeralMetrics(namespace=NAMESPACE, service=service)
