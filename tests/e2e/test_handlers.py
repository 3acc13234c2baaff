"""Each handler, asked with AWS's own events: once as the local cloud deployed it from template.yaml, once from the
package for Lambda, under AWS's own runtime interface client and emulator. Both must answer the same."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from infra.deployment import deploy, template
from infra.deployment.runtime import Runtime
from tests.support.cloud import Cloud, receive

HANDLERS = template.functions(template.load())
NAMES = dict(zip(HANDLERS, template.function_names(template.load(), deploy.STACK), strict=True))
MINUTE_LONG = {"SweepFunction": 8, "RelayFunction": 43}
"""With so much time, in seconds, they run for three and leave."""


class Deployed:
    """The local cloud's functions, by Lambda's API."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client: Any = cloud.aws("lambda")

    def invoke(self, name: str, event: object) -> Any:
        return json.load(self.client.invoke(FunctionName=NAMES[name], Payload=json.dumps(event))["Payload"])

    def variables(self, name: str) -> dict[str, str]:
        return self.client.get_function_configuration(FunctionName=NAMES[name])["Environment"]["Variables"]


class Emulated:
    """The same functions from their packages, each with the variables that the template gave it."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.deployed = Deployed(cloud)
        self.running: dict[str, Runtime] = {}
        self.stack = ExitStack()

    def invoke(self, name: str, event: object) -> Any:
        if name not in self.running:
            # MiniStack puts it into every function's environment; on AWS it is absent.
            keys = {key.upper(): value for key, value in self.cloud.status["aws_credentials"].items()}
            variables = self.deployed.variables(name) | keys | {"AWS_ENDPOINT_URL": self.cloud.status["aws"]}
            seconds = MINUTE_LONG.get(name, 30)
            runtime = Runtime(HANDLERS[name], variables, self.folder / f"{name}.log", seconds)
            self.running[name] = self.stack.enter_context(runtime)
        return self.running[name].invoke(event)


@pytest.fixture(scope="module")
def emulated(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    emulated = Emulated(cloud, tmp_path_factory.mktemp("runtime"))
    with emulated.stack:
        yield emulated


@pytest.fixture(params=["ministack", pytest.param("emulator", marks=pytest.mark.contract)])
def functions(request: pytest.FixtureRequest, cloud: Cloud) -> Any:
    return Deployed(cloud) if request.param == "ministack" else request.getfixturevalue("emulated")


def rest(cloud: Cloud, method: str, route: str, body: object = None, query: dict | None = None, **path: str) -> dict:
    """As API Gateway's REST proxy asks. `route` as in template.yaml."""
    headers = {"authorization": f"Bearer {cloud.status['token']}", "content-type": "application/json"}
    return {
        "resource": route,
        "path": route.format(**path),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": path or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": route,
            "httpMethod": method,
            "stage": "live",
            "requestId": str(uuid4()),
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def message(body: object) -> dict:
    """As SQS delivers it."""
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"SentTimestamp": "1790000000000", "ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:switchboard-events",
        "awsRegion": "us-east-1",
    }


def socket(connection_id: str, route: str, **more: object) -> dict:
    """As API Gateway's WebSocket API calls."""
    kind = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}.get(route, "MESSAGE")
    context = {"connectionId": connection_id, "routeKey": route, "eventType": kind, "stage": "live", "apiId": "live"}
    return {"requestContext": context, "isBase64Encoded": False, **more}


def initiated(call_id: str) -> dict:
    return {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"}


def test_an_event_is_taken_in_and_read_back(functions, cloud: Cloud):
    call_id = f"call-{uuid4()}"
    taken = functions.invoke("IngestFunction", rest(cloud, "POST", "/api/events", initiated(call_id)))
    assert taken["statusCode"] == 201, taken
    read = functions.invoke("QueryFunction", rest(cloud, "GET", "/api/calls/{call_id}", call_id=call_id))
    assert read["statusCode"] == 200, read
    assert json.loads(read["body"])["status"] == "waiting"
    page = functions.invoke("QueryFunction", rest(cloud, "GET", "/api/calls", query={"limit": "1"}))
    assert len(json.loads(page["body"])["data"]) == 1


def test_a_bad_event_is_a_problem_that_names_the_field(functions, cloud: Cloud):
    refused = functions.invoke("IngestFunction", rest(cloud, "POST", "/api/events", {"event": "call_initiated"}))
    assert refused["statusCode"] == 400
    assert refused["headers"]["Content-Type"] == "application/problem+json"
    assert "callId" in refused["body"]


def test_reads_require_a_token(functions, cloud: Cloud):
    event = rest(cloud, "GET", "/api/calls")
    for headers in (event["headers"], event["multiValueHeaders"]):
        del headers["authorization"]
    assert functions.invoke("QueryFunction", event)["statusCode"] == 401


def test_the_queue_gets_only_the_bad_message_back(functions):
    good, bad = message(initiated(f"call-{uuid4()}")), message("not even JSON")
    answer = functions.invoke("IngestQueueFunction", {"Records": [good, bad]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}


def test_a_socket_is_opened_answered_and_closed(functions, cloud: Cloud):
    state, topic = cloud.status, f"call:{cloud.new_call_id()}"
    with cloud.socket(topic) as client:
        real = _connection_of(state["database"], topic)
        assert functions.invoke("MessageFunction", socket(real, "ping", body='{"action": "ping"}'))["statusCode"] == 200
        assert receive(client, lambda frame: frame["type"] == "pong")
    made_up = f"made-up-{uuid4()}"
    opened = socket(made_up, "$connect", queryStringParameters={"token": state["token"]})
    assert functions.invoke("ConnectFunction", opened)["statusCode"] == 200
    assert _is_connected(state["database"], made_up)
    functions.invoke("DisconnectFunction", socket(made_up, "$disconnect"))
    assert not _is_connected(state["database"], made_up)


def test_a_socket_without_a_token_is_refused(functions):
    assert functions.invoke("ConnectFunction", socket(f"made-up-{uuid4()}", "$connect"))["statusCode"] == 401


def test_the_door_opens_to_a_token_and_to_no_other(functions, cloud: Cloud):
    arn = "arn:aws:execute-api:us-east-1:000000000000:api/live/GET/api/calls"
    at_the_door = {
        "type": "TOKEN",
        "methodArn": arn,
        "authorizationToken": f"Bearer {cloud.status['token']}",
    }
    opened = functions.invoke("AuthorizerFunction", at_the_door)
    assert opened["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    refused = functions.invoke("AuthorizerFunction", at_the_door | {"authorizationToken": "Bearer made-up"})
    assert refused["errorMessage"] == "Unauthorized"  # the one word to which API Gateway answers 401


@pytest.mark.contract
def test_the_minute_long_ones_come_and_go(emulated: Emulated):
    """The local cloud's own run at the same time: `test_status_tells_where_everything_is` sees them alive."""
    scheduled = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
    assert set(emulated.invoke("SweepFunction", scheduled)) >= {"timers", "offers", "republished"}
    assert emulated.invoke("RelayFunction", scheduled) == {}, "the shard has its relay"
    with psycopg.connect(emulated.cloud.status["database"]) as connection:
        fence = connection.execute("select fencing_token from leases").fetchone()
    assert fence
    called = {"shard": 0, "after": fence[0]}
    assert set(emulated.invoke("RelayFunction", called)) == {"shard", "events", "posts"}


def _connection_of(database: str, topic: str) -> str:
    with psycopg.connect(database) as connection:
        found = connection.execute("select connection_id from subscriptions where topic = %s", [topic]).fetchone()
    assert found
    return found[0]


def _is_connected(database: str, connection_id: str) -> bool:
    with psycopg.connect(database) as connection:
        return bool(connection.execute("select 1 from connections where id = %s", [connection_id]).fetchone())
