"""The messages in the event queue's dead-letter queue."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VISIBILITY_SECONDS = 30
BATCH = 10  # the maximum of SQS


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    body: str
    receipt: str


class QueueDeadLetters:
    """`queue` is the URL of the event queue. Its dead-letter queue has the same name with `-dead`."""

    def __init__(self, sqs: Any, queue: str) -> None:  # noqa: ANN401 - boto3 makes its clients' classes when it runs
        self._sqs, self._queue = sqs, queue
        self._dead = queue + "-dead"

    def messages(self) -> Iterator[Message]:
        """Each message once. Received messages stay invisible for `VISIBILITY_SECONDS`."""
        seen: set[str] = set()
        while True:
            received = self._sqs.receive_message(
                QueueUrl=self._dead, MaxNumberOfMessages=BATCH, VisibilityTimeout=VISIBILITY_SECONDS, WaitTimeSeconds=1
            )
            new = [message for message in received.get("Messages", ()) if message["MessageId"] not in seen]
            if not new:
                return
            for message in new:
                seen.add(message["MessageId"])
                yield Message(message["MessageId"], message["Body"], message["ReceiptHandle"])

    def put_back(self, message: Message) -> None:
        """Make a message visible again at once."""
        self._sqs.change_message_visibility(QueueUrl=self._dead, ReceiptHandle=message.receipt, VisibilityTimeout=0)

    def redrive(self, message: Message) -> None:
        """Send the message, then delete it. An interruption can send it twice; its events are recorded once."""
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=message.body)
        self._sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=message.receipt)
