"""template.yaml against the code that it deploys."""

import importlib
import json
import re
from dataclasses import fields
from typing import Any

import pytest

from infra.deployment import deploy, package, template
from infra.local.postgres import SETTINGS
from infra.local.schedule import MINUTE_LONG
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.problems import Problem, problem
from shared.settings import Settings

TEMPLATE = template.load()
KEPT_FOR_PEOPLE = 20
FUNCTIONS = template.functions(TEMPLATE)


def events(kind: str) -> dict[str, list[dict]]:
    """Each function's events of a kind."""
    return {
        name: [
            event["Properties"] for event in resource["Properties"].get("Events", {}).values() if event["Type"] == kind
        ]
        for name, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@pytest.mark.parametrize("handler", FUNCTIONS.values())
def test_each_handler_exists(handler):
    module, name = handler.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_the_routes_are_those_of_the_apps():
    deployed = {(p["Path"], p["Method"].upper()) for each in events("Api").values() for p in each}
    written = set()
    for handler in {handler for handler in FUNCTIONS.values() if handler.endswith(".app.app")}:
        app = importlib.import_module(handler.rsplit(".", 1)[0]).app
        written |= {(path, method) for path, methods in app.routes.items() for method in methods}
    assert deployed == written


def test_each_route_goes_to_the_app_that_has_it():
    for name, routes in events("Api").items():
        for route in routes:
            app = importlib.import_module(FUNCTIONS[name].rsplit(".", 1)[0]).app
            assert route["Method"].upper() in app.routes[route["Path"]]


def test_functions_get_the_settings_that_they_read():
    given = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for name in FUNCTIONS:
        given |= set(TEMPLATE["Resources"][name]["Properties"].get("Environment", {}).get("Variables", {}))
    read = set(re.findall(r'"([A-Z][A-Z_]+)"', (template.PATH.parent / "shared" / "settings.py").read_text()))
    from_the_runtime = {
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_DEFAULT_REGION",
    }
    assert given <= read, "given and never read"
    assert {name for name in read - from_the_runtime if name.endswith(("_URL", "_KEY", "_FUNCTION"))} <= given
    assert {field.name.upper() for field in fields(Settings)} >= {"DATABASE_URL", "REDIS_URL", "TOKEN_KEY"}


def test_secrets_are_never_shown():
    for name in ("DatabaseUrl", "RedisUrl", "TokenKey"):
        assert TEMPLATE["Parameters"][name]["NoEcho"] is True
        assert not TEMPLATE["Parameters"][name].get("Default")


def test_functions_that_run_for_a_minute_have_the_time():
    for name in ("SweepFunction", "RelayFunction"):
        properties = TEMPLATE["Resources"][name]["Properties"]
        assert properties["Timeout"] > 65
        assert [p["ScheduleExpression"] for p in events("ScheduleV2")[name]] == ["rate(1 minute)"]


def test_the_local_schedule_knows_their_names():
    assert set(MINUTE_LONG.values()) <= set(template.function_names(TEMPLATE, deploy.STACK))


def test_a_failed_batch_ends_in_the_dead_letters():
    queue = TEMPLATE["Resources"]["EventQueue"]["Properties"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["EventDeadLetters", "Arn"]}
    batch = events("SQS")["IngestQueueFunction"][0]
    assert batch["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["VisibilityTimeout"] >= 6 * TEMPLATE["Resources"]["IngestQueueFunction"]["Properties"]["Timeout"]


def test_every_function_is_built_by_our_packager():
    for name, handler in FUNCTIONS.items():
        assert TEMPLATE["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}
        assert template.package_of(handler) in package.NAMES


def test_packaging_leaves_no_local_path_behind():
    body = deploy.packaged(template.load(), "bucket", {name: f"{name}.zip" for name in package.NAMES})
    assert "CodeUri" not in body["Globals"]["Function"]
    for name, handler in FUNCTIONS.items():
        code = body["Resources"][name]["Properties"]["CodeUri"]
        assert code == {"Bucket": "bucket", "Key": f"{template.package_of(handler)}.zip"}


def test_functions_hold_fewer_connections_than_postgres_allows():
    """The sum of docs/deploy.md. Sweeps and queue readers hold one each, relays two; some are left for people."""
    taken = 0
    for name in FUNCTIONS:
        at_once = valued(TEMPLATE["Resources"][name]["Properties"]["ReservedConcurrentExecutions"])
        taken += at_once * {"RelayFunction": 2, "AuthorizerFunction": 0}.get(name, 1)
    assert taken == 154
    assert taken + KEPT_FOR_PEOPLE <= int(SETTINGS["max_connections"])


def test_a_flood_ends_at_the_gateway():
    stages = [
        found
        for resource in TEMPLATE["Resources"].values()
        for found in (
            *resource.get("Properties", {}).get("MethodSettings", []),
            *filter(None, [resource.get("Properties", {}).get("DefaultRouteSettings")]),
        )
    ]
    assert len(stages) == 2, "REST and sockets"
    assert all(found["ThrottlingRateLimit"] and found["ThrottlingBurstLimit"] for found in stages)


def test_two_relays_for_each_shard_may_run_and_one_that_looks():
    at_once = TEMPLATE["Mappings"]["Relays"]["AtOnce"]
    assert at_once == {shards: 2 * int(shards) + 1 for shards in TEMPLATE["Parameters"]["RelayShards"]["AllowedValues"]}


def valued(value: Any) -> Any:
    """A value of the template with the parameters as they come."""
    match value:
        case {"Ref": name}:
            return TEMPLATE["Parameters"][name]["Default"]
        case {"Fn::FindInMap": [mapping, first, second]}:
            return TEMPLATE["Mappings"][mapping][valued(first)][valued(second)]
        case _:
            return value


def test_each_figure_has_its_alarm_and_each_alarm_its_line():
    operations = (template.PATH.parent / "docs" / "operations.md").read_text()
    alarms = {p["MetricName"] for p in alarms_of("Switchboard")}
    assert alarms == {str(metric) for metric in Metric}
    assert [name for name in alarms if f"| `{name}` |" not in operations] == []


def test_functions_that_invoke_themselves_may_do_so():
    """Lambda drops the 17th invocation of a chain that goes through the same function, unless it is allowed."""
    allowed = {name for name in FUNCTIONS if TEMPLATE["Resources"][name]["Properties"].get("RecursiveLoop") == "Allow"}
    assert allowed == {name for name in FUNCTIONS if invokes_itself(name)} == {"RelayFunction", "SweepFunction"}


def test_dropped_recursive_invocations_raise_an_alarm():
    alarms = [p for p in alarms_of("AWS/Lambda") if p["MetricName"] == "RecursiveInvocationsDropped"]
    watched = [dimension["Value"]["Ref"] for alarm in alarms for dimension in alarm["Dimensions"]]
    assert sorted(watched) == sorted(name for name in FUNCTIONS if invokes_itself(name))
    for alarm in alarms:
        assert [dimension["Name"] for dimension in alarm["Dimensions"]] == ["FunctionName"]
        assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
            "Sum",
            "GreaterThanThreshold",
            0,
        )
        assert alarm["AlarmActions"] == {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}


def invokes_itself(name: str) -> bool:
    """Whether its role lets it."""
    properties = TEMPLATE["Resources"][name]["Properties"]
    role, _ = properties["Role"]["Fn::GetAtt"]
    return any(
        str(resource.get("Fn::Sub")).endswith(f":function:{properties['FunctionName']['Fn::Sub']}")
        for policy in TEMPLATE["Resources"][role]["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in listed(statement["Resource"])
        if "lambda:InvokeFunction" in listed(statement["Action"])
    )


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def alarms_of(namespace: str) -> list[dict]:
    found = [r["Properties"] for r in TEMPLATE["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    return [properties for properties in found if properties["Namespace"] == namespace]


def test_no_function_may_more_than_it_does():
    """A wildcard stands alone only where AWS knows no names: X-Ray, and network interfaces that Lambda makes."""
    wild = {
        action
        for policy in _policies()
        for given in policy["Statement"]
        for statement in given.get("Fn::If", ["", given])[1:]
        if "*" in (statement.get("Resource"), statement.get("Action"))
        for action in statement["Action"]
    }
    assert {action.split(":")[0] for action in wild} == {"xray", "ec2"}
    assert {action for action in wild if "NetworkInterface" not in action and action.startswith("ec2:")} == {
        "ec2:DescribeSubnets",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    }


def _policies():
    for resource in TEMPLATE["Resources"].values():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield resource["Properties"]["PolicyDocument"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                yield policy["PolicyDocument"]


# By type of gateway response: the status that the gateway answers with.
GATEWAY_STATUSES = {
    "UNAUTHORIZED": 401, "ACCESS_DENIED": 403, "WAF_FILTERED": 403, "MISSING_AUTHENTICATION_TOKEN": 404,
    "RESOURCE_NOT_FOUND": 404, "INVALID_SIGNATURE": 404, "EXPIRED_TOKEN": 404, "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429, "DEFAULT_4XX": 404, "INTEGRATION_FAILURE": 504, "INTEGRATION_TIMEOUT": 504, "DEFAULT_5XX": 500,
}  # fmt: skip


def test_each_error_of_the_gateway_is_a_readable_problem():
    properties = TEMPLATE["Resources"]["RestApi"]["Properties"]
    responses = properties["GatewayResponses"]
    assert {name: response["StatusCode"] for name, response in responses.items()} == GATEWAY_STATUSES
    for name, response in responses.items():
        found = Problem.model_validate_json(response["ResponseTemplates"]["application/json"], strict=True)
        assert found == problem(response["StatusCode"], found.detail), name
        assert found.model_dump() == json.loads(response["ResponseTemplates"]["application/json"]), name
        headers = response["ResponseParameters"]["Headers"]
        assert headers["Content-Type"] == "'application/problem+json'", name
        assert headers["Access-Control-Allow-Origin"] == properties["Cors"]["AllowOrigin"], name
    assert "Retry-After" in responses["THROTTLED"]["ResponseParameters"]["Headers"]
    assert "WWW-Authenticate" in responses["UNAUTHORIZED"]["ResponseParameters"]["Headers"]


def test_the_gateway_has_no_validators_of_its_own():
    """Request validators, API keys and usage plans refuse with types that are not among the gateway responses."""
    assert "Models" not in TEMPLATE["Resources"]["RestApi"]["Properties"]
    kinds = {resource["Type"] for resource in TEMPLATE["Resources"].values()}
    assert not kinds & {"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::RequestValidator"}
    for route in (route for routes in events("Api").values() for route in routes):
        assert not route.keys() & {"RequestModel", "RequestParameters"}
        assert "ApiKeyRequired" not in route.get("Auth", {})
