"""Shared by the REST functions: authentication, problem responses, and CORS."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from chalice.app import Chalice, CORSConfig, Request, Response
from pydantic import BaseModel

from shared.adapters.auth import signing_keys, tokens
from shared.adapters.aws import lambda_handler, secrets
from shared.adapters.telemetry import metrics
from shared.adapters.telemetry.metrics import Metric
from shared.contracts.body import parse_json
from shared.contracts.problems import Problem, ProblemError, problem, refuse
from shared.settings import settings
from shared.usecases.access import Principal
from shared.usecases.errors import UnavailableError

_log = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = 2


class DashboardOrigin(CORSConfig):
    """Permits the dashboard's origin, which is known at run time but not at import."""

    def get_access_control_headers(self) -> dict[str, str]:
        self.allow_origin = settings().page_origin
        return super().get_access_control_headers()


# Tokens are sent in a header, never in a cookie, so another origin has no token to send.
CORS = DashboardOrigin(
    allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Traceparent"],
    expose_headers=["Date", "ETag", "Link", "Retry-After", "Traceparent"],
    max_age=600,
)
# Responses must not be cached, framed or rendered as a page.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}

View = Callable[..., Response]


def rest_app(name: str) -> Chalice:
    app = Chalice(app_name=f"switchboard-{name}")
    app.api.cors = CORS
    app.api.binary_types = []  # without binary types, Chalice does not search each response for them
    return app


def route(app: Chalice, path: str, method: str = "GET") -> Callable[[View], View]:
    """Like `app.route`, but every failure is answered with problem details (RFC 9457).

    Not a Chalice middleware, because Chalice converts exceptions to its own 500 before it calls one.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def respond(**parameters: str) -> Response:
            request_id = (_request(app).context or {}).get("requestId")
            with lambda_handler.traced(request_id, header(app, "traceparent")) as traceparent:
                response = _answer(view, parameters)
                response.headers = SECURITY_HEADERS | {"Traceparent": traceparent} | response.headers
                _log.info("%s %s %s", method, _request(app).path, response.status_code)
                lambda_handler.end_invocation()
            return response

        return app.route(path, methods=[method], content_types=["*/*"])(respond)

    return decorate


def _answer(view: View, parameters: dict[str, str]) -> Response:
    try:
        return view(**parameters)
    except ProblemError as error:
        return refusal(error.problem, error.headers)
    except (UnavailableError, secrets.SecretError) as error:
        _log.error("Unavailable: %s", error)
        metrics.count(Metric.UNAVAILABLE)
        detail = "Try again in a few seconds. Events with an eventId are recorded once, even if they are sent again."
        return refusal(problem(503, detail), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    except Exception:
        lambda_handler.log_failure()
        return refusal(problem(500, "Unexpected error. The log of this function contains the cause."))


def refusal(details: Problem, headers: dict[str, str] | None = None) -> Response:
    response_headers: dict[str, str | list[str]] = {"Content-Type": "application/problem+json", **(headers or {})}
    return Response(body=details.model_dump_json(), status_code=details.status, headers=response_headers)


def answer(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    text = body.model_dump_json() if isinstance(body, BaseModel) else orjson.dumps(body).decode()
    return Response(body=text, status_code=status, headers={"Content-Type": "application/json"})


def tagged(app: Chalice, body: BaseModel, tag: str) -> Response:
    """304 if the client has the version with this entity tag."""
    is_current = tag in header(app, "if-none-match")
    response = Response(body="", status_code=304) if is_current else answer(body)
    response.headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}  # the browser revalidates each time
    return response


def authenticate(app: Chalice) -> Principal:
    """The holder of the request's token. Raises `ProblemError` (401)."""
    scheme, _, token = header(app, "authorization").partition(" ")
    challenge = {"WWW-Authenticate": "Bearer"}
    if scheme.lower() != "bearer" or not token:
        raise refuse(401, "Send a token in the header: `Authorization: Bearer …`.", headers=challenge)
    try:
        return signing_keys.authenticate(token.strip())
    except tokens.TokenError as error:
        raise refuse(401, str(error), headers=challenge) from None


def require(permitted: bool, action: str) -> None:
    """Raises `ProblemError` (403)."""
    if not permitted:
        raise refuse(403, f"This token does not permit you to {action}.")


def content_type(app: Chalice) -> str:
    return (header(app, "content-type") or "application/json").split(";")[0].strip().lower()


def json_body(app: Chalice, *others: str) -> Any:  # noqa: ANN401 - unchecked JSON
    """The body, which has the content type of JSON or one of `others`. Raises `ProblemError` (400, 413, 415)."""
    if (media_type := content_type(app)) not in ("application/json", *others):
        raise refuse(415, f"{media_type} is not supported. Send application/json.", ("Content-Type", "is not JSON"))
    raw: bytes | str = _request(app).raw_body
    return parse_json(raw.encode() if isinstance(raw, str) else raw)


def header(app: Chalice, name: str) -> str:
    return str(_request(app).headers.get(name, ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - chalice's mapping is untyped


def query(app: Chalice) -> dict[str, str]:
    """The parameters by name. Repeated parameters, as generated clients send lists, are joined by commas.

    Raises `ProblemError` (400) if a value contains unprintable characters.
    """
    multi_dict: Any = _request(app).query_params
    lists: dict[str, list[str]] = {name: multi_dict.getlist(name) for name in multi_dict} if multi_dict else {}
    parameters = {name: ",".join(values) for name, values in lists.items()}
    for name, value in parameters.items():
        if not value.isprintable():
            raise refuse(400, f"Not valid: {name}", (name, "contains an unprintable character"))
    return parameters


def _request(app: Chalice) -> Request:
    assert app.current_request is not None, "called outside of a route"
    return app.current_request
