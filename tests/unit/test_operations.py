"""The page for whoever is on call, against what is measured."""

import re

from infra import template
from shared.adapters.metrics import Metric
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "operations.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| [\w, ]+ \| (.+) \|$", PAGE, re.MULTILINE))


def test_each_figure_has_its_alarm_and_what_to_do() -> None:
    assert set(ROWS) == {metric.value for metric in Metric}
    for name, row in ROWS.items():
        alarm, meaning = row.split(" | ")
        assert alarm, name
        assert len(meaning) > 40, f"{name}: a line that helps at 3 a.m."


def test_each_alarm_that_is_deployed_is_of_a_figure_that_is_written() -> None:
    resources = template.load()["Resources"].values()
    alarms = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"]
    own = {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == "Switchboard"}
    assert own <= {metric.value for metric in Metric}
