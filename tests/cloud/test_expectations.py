"""What the product takes for granted of the cloud it runs on."""

import json
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from functions.ingest import app as ingest
from infra.deployment.deploy import Deployment
from shared import settings, wiring
from shared.adapters.aws import secrets
from tests.support.clouds import Client

pytestmark = pytest.mark.contract
WAIT_SECONDS = 20


def name() -> str:
    return f"switchboard-{uuid4().hex[:12]}"


@pytest.fixture
def queues(client: Client) -> tuple[str, str]:
    """A queue whose messages are dead after the second attempt, and the queue of the dead: their addresses."""
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName=f"{name()}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "30"}
    return sqs.create_queue(QueueName=name(), Attributes=attributes)["QueueUrl"], dead


@pytest.fixture
def become_function(monkeypatch):
    """Give this process the settings of a function, and forget them."""

    def become(database_url: str, redis_url: str) -> None:
        for variable, value in {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "TOKEN_KEY": "k" * 40}.items():
            monkeypatch.setenv(variable, value)
        forget()

    def forget() -> None:
        for cached in (settings.settings, *(value for value in vars(wiring).values() if hasattr(value, "cache_clear"))):
            cached.cache_clear()

    yield become
    wiring.database().close()
    forget()


def received(sqs, queue: str, wanted: int) -> list[dict]:
    found, deadline = [], time.monotonic() + WAIT_SECONDS
    while len(found) < wanted and time.monotonic() < deadline:
        found += sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]
        ).get("Messages", [])
    return found


def give_back(sqs, queue: str, message: dict) -> None:
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def as_record(message: dict) -> dict:
    attributes = message["Attributes"]
    return {"messageId": message["MessageId"], "body": message["Body"], "attributes": attributes}


def test_a_redrive_returns_a_dead_message_to_its_queue(
    client: Client, queues, database_url, redis_server, become_function
):
    """The function beside the cloud's queue: of two messages only the bad one comes back, twice, then no more."""
    queue, dead = queues
    sqs = client("sqs")
    become_function(database_url, redis_server.url)
    good = {"event": "call_initiated", "callId": name(), "type": "voice", "queueId": "medical_spanish"}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(good))
    sqs.send_message(QueueUrl=queue, MessageBody="not even JSON")
    messages = received(sqs, queue, 2)
    for _attempt in range(2):
        answer = ingest.from_queue({"Records": [as_record(message) for message in messages]}, None)
        refused = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        assert [m["Body"] for m in messages if m["MessageId"] in refused] == ["not even JSON"]
        for message in messages:
            if message["MessageId"] in refused:
                give_back(sqs, queue, message)
            else:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        messages = sqs.receive_message(
            QueueUrl=queue, WaitTimeSeconds=2, AttributeNames=["All"], MaxNumberOfMessages=10
        ).get("Messages", [])
    assert messages == []
    [letter] = received(sqs, dead, 1)
    assert letter["Body"] == "not even JSON"
    sqs.send_message(QueueUrl=queue, MessageBody=letter["Body"])
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    assert [message["Body"] for message in received(sqs, queue, 1)] == ["not even JSON"]


def test_a_message_in_work_is_invisible_to_other_consumers(client: Client, queues):
    sqs, queue = client("sqs"), queues[0]
    sqs.send_message(QueueUrl=queue, MessageBody="once")
    [message] = received(sqs, queue, 1)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert message["Attributes"]["SentTimestamp"].isdigit()
    give_back(sqs, queue, message)
    assert [again["MessageId"] for again in received(sqs, queue, 1)] == [message["MessageId"]]


def test_the_page_is_published_with_its_types_and_its_age(client: Client, cloud: str, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "app-1.js").write_text("1")
    s3, bucket = client("s3"), name()
    s3.create_bucket(Bucket=bucket)
    deployment = Deployment({}, lambda _: tmp_path, endpoint_url=cloud, site=tmp_path)
    deployment._publish({"Api": "https://api", "WebSocket": "wss://live", "DashboardBucket": bucket})
    page, script = s3.get_object(Bucket=bucket, Key="index.html"), s3.get_object(Bucket=bucket, Key="assets/app-1.js")
    assert (page["ContentType"], page["CacheControl"]) == ("text/html", "no-cache")
    assert "immutable" in script["CacheControl"]
    config = json.loads(s3.get_object(Bucket=bucket, Key="config.json")["Body"].read())
    assert config == {"api": "https://api", "websocket": "wss://live"}


def test_the_keys_of_tokens_are_read_by_name(client: Client, cloud: str, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    secret, parameter = name(), f"/{name()}/token-key"
    client("secretsmanager").create_secret(Name=secret, SecretString="a key in a secret")
    client("ssm").put_parameter(Name=parameter, Value="a key in a parameter", Type="SecureString")
    assert secrets.fetch(secret, "us-east-1", cloud) == "a key in a secret"
    assert secrets.fetch(parameter, "us-east-1", cloud) == "a key in a parameter"
    with pytest.raises(secrets.SecretError):
        secrets.fetch(name(), "us-east-1", cloud)


def test_a_schedule_of_a_minute_is_taken(client: Client):
    scheduler, schedule = client("scheduler"), name()
    target = {
        "Arn": "arn:aws:lambda:us-east-1:000000000000:function:sweep",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
    }
    scheduler.create_schedule(
        Name=schedule, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    assert scheduler.get_schedule(Name=schedule)["ScheduleExpression"] == "rate(1 minute)"


def test_an_event_of_the_bus_reaches_the_queue(client: Client, queues):
    """EventBridge as one more sender. Its envelope as it is: moto does not know how to take the detail out of it."""
    events, sqs, rule = client("events"), client("sqs"), name()
    queue = queues[0]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}), State="ENABLED")
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    entry = {"Source": rule, "DetailType": "call", "Detail": '{"event": "call_ended"}', "Time": datetime.now(UTC)}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert [json.loads(message["Body"])["detail"] for message in received(sqs, queue, 1)] == [{"event": "call_ended"}]
