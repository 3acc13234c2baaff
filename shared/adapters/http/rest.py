"""What the REST functions have in common: who asks, how refusals look, which origins a browser may call from."""

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


class PageOnly(CORSConfig):
    """Only our page's origin, which is known when the function runs and not yet when it is imported."""

    def get_access_control_headers(self) -> dict[str, str]:
        self.allow_origin = settings().page_origin
        return super().get_access_control_headers()


# A token travels in a header, never in a cookie, so a foreign page gains nothing by calling from a browser.
CORS = PageOnly(
    allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Traceparent"],
    expose_headers=["Date", "ETag", "Link", "Retry-After", "Traceparent"],
    max_age=600,
)
# An answer is data for its caller: nobody keeps it, frames it, or takes it for a page.
GUARDS = {
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
    app.api.binary_types = []  # nothing of ours is: Chalice would look for each of its own in every answer
    return app


def route(app: Chalice, path: str, method: str = "GET") -> Callable[[View], View]:
    """Like `app.route`, with every failure answered by a problem document (RFC 9457).

    Not a Chalice middleware: by the time one is asked, Chalice has made its own 500 of the exception.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answering(**parameters: str) -> Response:
            request_id = (_request(app).context or {}).get("requestId")
            with lambda_handler.traced(request_id, header(app, "traceparent")) as traceparent:
                response = _answer(view, parameters)
                response.headers = GUARDS | {"Traceparent": traceparent} | response.headers
                _log.info("%s %s %s", method, _request(app).path, response.status_code)
                lambda_handler.end()
            return response

        return app.route(path, methods=[method], content_types=["*/*"])(answering)

    return decorate


def _answer(view: View, parameters: dict[str, str]) -> Response:
    try:
        return view(**parameters)
    except ProblemError as error:
        return refusal(error.problem, error.headers)
    except (UnavailableError, secrets.SecretError) as error:
        _log.error("Not available: %s", error)
        metrics.count(Metric.UNAVAILABLE)
        detail = "Try again in a moment. What has an eventId is recorded once, however often it is sent."
        return refusal(problem(503, detail), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    except Exception:
        lambda_handler.failed()
        return refusal(problem(500, "The failure is in the log of this function, with its cause."))


def refusal(found: Problem, headers: dict[str, str] | None = None) -> Response:
    sent: dict[str, str | list[str]] = {"Content-Type": "application/problem+json", **(headers or {})}
    return Response(body=found.model_dump_json(), status_code=found.status, headers=sent)


def answer(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    text = body.model_dump_json() if isinstance(body, BaseModel) else orjson.dumps(body).decode()
    return Response(body=text, status_code=status, headers={"Content-Type": "application/json"})


def tagged(app: Chalice, body: BaseModel, tag: str) -> Response:
    """304 for a reader who holds what bears this entity tag."""
    held = tag in header(app, "if-none-match")
    response = Response(body="", status_code=304) if held else answer(body)
    response.headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}  # the browser asks each time
    return response


def authenticate(app: Chalice) -> Principal:
    """Who asks. Raises `ProblemError` (401)."""
    scheme, _, token = header(app, "authorization").partition(" ")
    challenge = {"WWW-Authenticate": "Bearer"}
    if scheme.lower() != "bearer" or not token:
        raise refuse(401, "Send a token: `Authorization: Bearer …`.", headers=challenge)
    try:
        return signing_keys.authenticate(token.strip())
    except tokens.TokenError as error:
        raise refuse(401, str(error), headers=challenge) from None


def require(permitted: bool, what: str) -> None:
    """Raises `ProblemError` (403)."""
    if not permitted:
        raise refuse(403, f"This token does not permit its bearer to {what}.")


def content_type(app: Chalice) -> str:
    return (header(app, "content-type") or "application/json").split(";")[0].strip().lower()


def json_body(app: Chalice, *others: str) -> Any:  # noqa: ANN401 - JSON, not looked at yet
    """The body, of these content types beside JSON's own. Raises `ProblemError` (400, 413, 415)."""
    if (sent := content_type(app)) not in ("application/json", *others):
        raise refuse(415, f"{sent} is not understood: send application/json.", ("Content-Type", "is not JSON"))
    raw: bytes | str = _request(app).raw_body
    return parse_json(raw.encode() if isinstance(raw, str) else raw)


def header(app: Chalice, name: str) -> str:
    return str(_request(app).headers.get(name, ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - chalice's mapping is untyped


def query(app: Chalice) -> dict[str, str]:
    """The parameters by name. One that is repeated, as generated clients send lists, counts as joined by commas.

    Raises `ProblemError` (400) that names a parameter which is no text.
    """
    sent: Any = _request(app).query_params
    lists: dict[str, list[str]] = {name: sent.getlist(name) for name in sent} if sent else {}
    parameters = {name: ",".join(values) for name, values in lists.items()}
    for name, value in parameters.items():
        if not value.isprintable():
            raise refuse(400, f"Not valid: {name}", (name, "contains a character that no parameter can have"))
    return parameters


def _request(app: Chalice) -> Request:
    assert app.current_request is not None, "only a route asks, and a route has its request"
    return app.current_request
