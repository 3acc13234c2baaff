"""The guide for the person on call, against what is measured."""

import re
from typing import Any

import pytest

from infra.deployment import template
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from tests.support.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operations.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| [\w, ]+ \| (.+) \|$", PAGE, re.MULTILINE))
SERVED = dict(re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", PAGE, re.MULTILINE))


def test_each_figure_has_an_alarm_and_an_instruction() -> None:
    assert set(ROWS) == {metric.value for metric in Metric}
    for name, row in ROWS.items():
        alarm, meaning = row.split(" | ")
        assert alarm, name
        assert len(meaning) > 40, f"{name}: a line that helps at 3 a.m."


ALARMS = [
    properties
    for resource in template.load()["Resources"].values()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
    and (properties := resource["Properties"]).get("Namespace") == metrics.NAMESPACE
]
CODE = "\n".join(
    path.read_text()
    for folder in ("functions", "shared")
    for path in (REPOSITORY / folder).rglob("*.py")
    if path.name != "metrics.py"
)
SERVICES = set(re.findall(r'wiring\.logger\("(\w+)"\)', CODE))


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: f"{alarm['MetricName']}-{alarm['Dimensions'][0]['Value']}")
def test_each_deployed_alarm_uses_a_written_figure(alarm: dict[str, Any]) -> None:
    """Its name, unit and only dimension are those of a line in the log; where not, it would be silent for ever."""
    (dimension,) = alarm["Dimensions"]
    assert dimension["Name"] == "service"
    assert dimension["Value"] in SERVICES
    metric = Metric(alarm["MetricName"])
    assert f"Metric.{metric.name}" in CODE, "no function writes it"
    assert SERVED[metric.value] == "all" or dimension["Value"] in SERVED[metric.value].split(", ")


def test_log_messages_that_the_page_names_are_written() -> None:
    table = PAGE.split("| last line for the call |")[1].split("\n\n")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) > 3
    parts = [part.strip() for message in messages for part in message.split("…")]
    assert [part for part in parts if not re.search(rf"_?log\.\w+\(\s*\"[^\"]*{re.escape(part)}", CODE)] == []
