"""The queue's own dead letters: messages that were refused as often as the queue allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LOOK_SECONDS = 30  # as long as a message that was looked at is out of others' sight
BATCH = 10  # the most that SQS hands out at once


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    body: str
    receipt: str


class QueueDeadLetters:
    """`queue` is the URL of the queue in front; its dead letters are in the one that its redrive policy names."""

    def __init__(self, sqs: Any, queue: str) -> None:  # noqa: ANN401 - boto3 makes its clients' classes when it runs
        self._sqs, self._queue = sqs, queue
        self._dead = queue + "-dead"

    def messages(self) -> Iterator[Message]:
        """Each once, as far as SQS can say: while this goes on, those handed out stay out of sight."""
        seen: set[str] = set()
        while True:
            received = self._sqs.receive_message(
                QueueUrl=self._dead, MaxNumberOfMessages=BATCH, VisibilityTimeout=LOOK_SECONDS, WaitTimeSeconds=1
            )
            fresh = [found for found in received.get("Messages", ()) if found["MessageId"] not in seen]
            if not fresh:
                return
            for found in fresh:
                seen.add(found["MessageId"])
                yield Message(found["MessageId"], found["Body"], found["ReceiptHandle"])

    def put_back(self, message: Message) -> None:
        """Let others see at once what was only looked at."""
        self._sqs.change_message_visibility(QueueUrl=self._dead, ReceiptHandle=message.receipt, VisibilityTimeout=0)

    def redrive(self, message: Message) -> None:
        """Sent first, deleted after: what is interrupted is sent twice, and events are recorded once."""
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=message.body)
        self._sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=message.receipt)
