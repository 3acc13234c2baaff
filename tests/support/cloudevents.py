"""Examples of CloudEvents."""

ENVELOPE = {
    "specversion": "1.0",
    "id": "42",
    "source": "/pbx/north",
    "type": "com.voycelink.call_initiated",
    "subject": "call-1",
    "data": {"type": "voice", "queueId": "medical_spanish"},
}


STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}


BATCHED = {"content-type": "application/cloudevents-batch+json"}
