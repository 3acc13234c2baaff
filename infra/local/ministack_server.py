"""MiniStack as the local cloud runs it: python -m infra.local.ministack_server FUNCTION_LOG DIED_FOLDER

What it leaves out is put in here, by wrapping its functions. It is pinned, and tests/e2e, tests/journeys and
tests/cloud see each of these. Who may reach which part of it is decided in control_plane.py.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import threading
from collections import defaultdict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from ministack import app
from ministack.core.lambda_runtime import Worker
from ministack.services import apigateway, apigateway_v1, cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import provisioners

from infra.environment import environment, number, seconds
from infra.local import gateway_responses
from infra.local.control_plane import Gate, Rules, known_hosts
from infra.local.logs import REFUSED
from infra.machine.rotation import RotatingLog
from shared.adapters import clock

AT_A_TIME = number("SWITCHBOARD_WORKERS", max(4, 2 * (os.cpu_count() or 1)))
TURN_SECONDS = 25  # API Gateway itself gives up after 29
KEPT_INVOCATIONS = 1_000
UNREAD_FRAMES = 64
UNREAD_SECONDS = seconds("SWITCHBOARD_UNREAD_SECONDS", 10.0)


def read_stderr(worker: Any, log: RotatingLog) -> None:  # noqa: ANN401 - MiniStack has no types
    """A function's lines as they come. MiniStack only hands them over when the invocation ends: for a sweep or a
    relay that is a minute later, and whoever watches wants to see a timer fire when it fires."""
    for line in worker._proc.stderr:
        log.write(f"{worker.func_name}\t{line.rstrip()}\n")
        worker._stderr_queue.put(line.rstrip("\n"))


def invoke(worker: Any, log: RotatingLog, died: Path, *arguments: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """What a function raised, which MiniStack only hands to the caller, and a note of one whose process was killed. A
    refusal at the door is no failure, and has its own line.
    """
    result = _invoke(worker, *arguments, **named)
    raised = str(result.get("trace") or result.get("error")) if result.get("status") == "error" else ""
    if REFUSED not in raised:
        for line in raised.splitlines():
            log.write(f"{worker.func_name}\t{line}\n")
    if result.get("error") == "Worker process died":
        (died / worker.func_name).touch()
    return result


def import_operation(api: str, resource: str, method: str, operation: dict[str, Any], *security: object) -> None:
    """An operation with its integration's responses, which carry the CORS headers that SAM writes for OPTIONS."""
    _import_operation(api, resource, method, operation, *security)
    responses = operation.get("x-amazon-apigateway-integration", {}).get("responses", {})
    for response in responses.values():
        apigateway_v1._put_integration_response(api, resource, method, str(response["statusCode"]), response)


def update_rest_api(api: str, before: Any, after: Any, *rest: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    """A changed API at its own address, its stages kept, as on AWS. MiniStack makes a second one beside it, for which
    the address is taken."""
    if after.get("Body") == before.get("Body"):
        return _update_rest_api(api, before, after, *rest)
    kept = [(store, store.get(api)) for store in (apigateway_v1._stages_v1, apigateway_v1._deployments_v1)]
    apigateway_v1._rest_apis.pop(api, None)
    made = provisioners._apigw_rest_api_create(api, after, *rest[:1])
    for store, held in kept:
        store[api] = held
    return made


def create_function(logical_id: str, properties: Any, stack: str) -> tuple[str, Any]:  # noqa: ANN401 - as above
    """A function with its `RecursiveLoop`. MiniStack drops the 17th invocation of a chain, as Lambda does, and does not
    read the property that allows it."""
    return _allow_recursion(_create_function(logical_id, properties, stack), properties)


def update_function(*arguments: Any, **named: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    _, _, properties, *_ = arguments
    return _allow_recursion(_update_function(*arguments, **named), properties)


def _allow_recursion(made: tuple[str, Any], properties: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    name, _ = made
    lambda_svc._functions[name]["recursive_loop"] = properties.get("RecursiveLoop", "Terminate")
    return made


def execute(function: dict[str, Any], event: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Some at a time, the others in turn. MiniStack starts a process for each request at once, as Lambda does; but this
    is one machine, and the more processes share it the longer each takes, and the more there are."""
    turn = _turns[function["config"]["FunctionName"]]
    if not turn.acquire(timeout=TURN_SECONDS):
        return lambda_svc._throttle_response(reason_code="ConcurrentInvocationLimitExceeded", msg="Rate Exceeded.")
    try:
        return _execute(function, event, request_id)
    finally:
        turn.release()


def keep_log(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as above
    """CloudWatch's log of an invocation, a stream each: MiniStack would keep all of them, 4 KB of memory a request."""
    _keep_log(*arguments, **named)
    for group in cloudwatch_logs._log_groups.values():
        streams = group["streams"]
        while len(streams) > KEPT_INVOCATIONS:
            streams.pop(next(iter(streams)), None)


async def call_connections(method: str, api: str, stage: str, connection_id: str, *rest: Any) -> tuple[int, Any, bytes]:  # noqa: ANN401 - as above
    """API Gateway answers 429 where "the WebSocket client side buffer is full", as its reference says. MiniStack would
    keep whatever a client does not read."""
    connection = apigateway._ws_connections.get(connection_id)
    if method == "POST" and connection and connection["outbox"].qsize() >= UNREAD_FRAMES:
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "LimitExceededException"}
        return 429, headers, json.dumps({"message": "The client does not read."}).encode()
    return await _handle_connections_api(method, api, stage, connection_id, *rest)


async def protocol_send(self: TCPServer, event: Any) -> None:  # noqa: ANN401 - as above
    """Who takes nothing for so long is cut off, and told so at once: MiniStack would wait until its client has read."""
    try:
        async with asyncio.timeout(UNREAD_SECONDS):
            await _protocol_send(self, event)
    except TimeoutError:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


_turns: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(AT_A_TIME))
_handle_connections_api = apigateway.handle_connections_api
_protocol_send = TCPServer.protocol_send
_execute = lambda_svc._execute_function_warm
_invoke = Worker.invoke
_keep_log = lambda_svc._emit_lambda_logs
_import_operation = apigateway_v1._import_operation
_update_rest_api = provisioners._apigw_rest_api_update
_create_function = provisioners._lambda_create
_update_function = provisioners._lambda_update


def gate(environ: Mapping[str, str]) -> Gate:
    """MiniStack behind the rules of who may reach what. KNOWN_HOSTS names more Host headers, separated by commas;
    SITE_BUCKET names the bucket of the dashboard."""
    others = filter(None, environ.get("KNOWN_HOSTS", "").split(","))
    rules = Rules(
        hosts=known_hosts(int(environ["GATEWAY_PORT"]), others),
        site=environ.get("SITE_BUCKET", ""),
        is_rest_api=lambda api: apigateway_v1.find_api_scope(api) is not None,
    )
    return Gate(app.app, rules, environ["AWS_SECRET_ACCESS_KEY"], clock.now)


def main(function_log: str, died: str) -> None:
    log = RotatingLog(Path(function_log))
    Worker._read_stderr = lambda self: read_stderr(self, log)
    Worker.invoke = lambda self, *arguments, **named: invoke(self, log, Path(died), *arguments, **named)
    apigateway_v1._import_operation = import_operation
    gateway_responses.install()
    apigateway.handle_connections_api = call_connections
    TCPServer.protocol_send = protocol_send
    lambda_svc._execute_function_warm = execute
    lambda_svc._emit_lambda_logs = keep_log
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None  # four figures a request, which it would keep as well
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = update_rest_api
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"] |= {"create": create_function, "update": update_function}
    app.app = gate(environment())
    # Deploying a SAM template needs it and takes seconds to import: meanwhile Postgres starts.
    threading.Thread(target=import_module, args=["samtranslator.translator.transform"], daemon=True).start()
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
