"""MiniStack as the local cloud runs it: python -m infra.local.ministack_server FUNCTION_LOG DIED_FOLDER

Wrappers of MiniStack's functions add what it lacks. Its version is pinned, and tests/e2e, tests/journeys and
tests/cloud test each wrapper. control_plane.py controls access.
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

MAX_WORKERS = number("SWITCHBOARD_WORKERS", max(4, 2 * (os.cpu_count() or 1)))
WAIT_SECONDS = 25  # API Gateway times out after 29
KEPT_INVOCATIONS = 1_000
UNREAD_FRAMES = 64
UNREAD_SECONDS = seconds("SWITCHBOARD_UNREAD_SECONDS", 10.0)


def read_stderr(worker: Any, log: RotatingLog) -> None:  # noqa: ANN401 - MiniStack has no types
    """Log a function's lines as it writes them. MiniStack returns them when the invocation ends, which takes a minute
    for a sweep or a relay."""
    for line in worker._proc.stderr:
        log.write(f"{worker.func_name}\t{line.rstrip()}\n")
        worker._stderr_queue.put(line.rstrip("\n"))


def invoke(worker: Any, log: RotatingLog, died: Path, *arguments: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Log a function's exception, and mark a function whose process was killed. MiniStack returns both to the caller
    only. A refused token has its own log line, and is not a failure.
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
    """Import an operation with its integration responses, which have the CORS headers that SAM writes for OPTIONS."""
    _import_operation(api, resource, method, operation, *security)
    responses = operation.get("x-amazon-apigateway-integration", {}).get("responses", {})
    for response in responses.values():
        apigateway_v1._put_integration_response(api, resource, method, str(response["statusCode"]), response)


def update_rest_api(api: str, before: Any, after: Any, *rest: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    """Update an API at its address and keep its stages, as on AWS. MiniStack creates a second API instead."""
    if after.get("Body") == before.get("Body"):
        return _update_rest_api(api, before, after, *rest)
    kept = [(store, store.get(api)) for store in (apigateway_v1._stages_v1, apigateway_v1._deployments_v1)]
    apigateway_v1._rest_apis.pop(api, None)
    made = provisioners._apigw_rest_api_create(api, after, *rest[:1])
    for store, held in kept:
        store[api] = held
    return made


def create_function(logical_id: str, properties: Any, stack: str) -> tuple[str, Any]:  # noqa: ANN401 - as above
    """Create a function with its `RecursiveLoop`. MiniStack drops the 17th invocation of a chain, as Lambda does, but
    ignores the property that allows it."""
    return _allow_recursion(_create_function(logical_id, properties, stack), properties)


def update_function(*arguments: Any, **named: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    _, _, properties, *_ = arguments
    return _allow_recursion(_update_function(*arguments, **named), properties)


def _allow_recursion(made: tuple[str, Any], properties: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
    name, _ = made
    lambda_svc._functions[name]["recursive_loop"] = properties.get("RecursiveLoop", "Terminate")
    return made


def execute(function: dict[str, Any], event: dict[str, Any], request_id: str) -> dict[str, Any]:
    """Limit the concurrent invocations of a function; the others wait. MiniStack starts a process for each request, as
    Lambda does, which overloads a single machine."""

    workers = _free_workers[function["config"]["FunctionName"]]
    if not workers.acquire(timeout=WAIT_SECONDS):
        return lambda_svc._throttle_response(reason_code="ConcurrentInvocationLimitExceeded", msg="Rate Exceeded.")
    try:
        return _execute(function, event, request_id)
    finally:
        workers.release()


def keep_log(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as above
    """Bound the log streams. MiniStack keeps one for each invocation, 4 KB of memory a request."""
    _keep_log(*arguments, **named)
    for group in cloudwatch_logs._log_groups.values():
        streams = group["streams"]
        while len(streams) > KEPT_INVOCATIONS:
            streams.pop(next(iter(streams)), None)


async def call_connections(method: str, api: str, stage: str, connection_id: str, *rest: Any) -> tuple[int, Any, bytes]:  # noqa: ANN401 - as above
    """Answer 429 if "the WebSocket client side buffer is full", as in API Gateway's reference. MiniStack buffers
    everything that a client does not read."""
    connection = apigateway._ws_connections.get(connection_id)
    if method == "POST" and connection and connection["outbox"].qsize() >= UNREAD_FRAMES:
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "LimitExceededException"}
        return 429, headers, json.dumps({"message": "The client does not read."}).encode()
    return await _handle_connections_api(method, api, stage, connection_id, *rest)


async def protocol_send(self: TCPServer, event: Any) -> None:  # noqa: ANN401 - as above
    """Close a connection whose client reads nothing for `UNREAD_SECONDS`. MiniStack waits without limit."""
    try:
        async with asyncio.timeout(UNREAD_SECONDS):
            await _protocol_send(self, event)
    except TimeoutError:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


_free_workers: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(MAX_WORKERS))
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
    """MiniStack behind the access rules. KNOWN_HOSTS has further Host headers, separated by commas. SITE_BUCKET is the
    bucket of the dashboard."""
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
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None  # it would keep four values a request
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["update"] = update_rest_api
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"] |= {"create": create_function, "update": update_function}
    app.app = gate(environment())
    # Deploying a SAM template needs this module, which takes seconds to import. Postgres starts at the same time.
    threading.Thread(target=import_module, args=["samtranslator.translator.transform"], daemon=True).start()
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
