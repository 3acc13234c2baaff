"""What the REST functions have in common: who asks, how refusals look, which origins a browser may call from."""

import json
import logging
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CORSConfig, Request, Response
from pydantic import BaseModel

from shared.adapters import tokens
from shared.contracts.body import parse_json
from shared.contracts.problems import Problem, ProblemError, problem, refuse
from shared.settings import SettingMissingError, settings
from shared.usecases.journal import UnavailableError
from shared.usecases.permissions import Bearer

_log = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = 2
# A token travels in a header, never in a cookie, so a foreign page gains nothing by calling from a browser.
CORS = CORSConfig(
    allow_origin="*",
    allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
    expose_headers=["Date", "Link"],
    max_age=600,
)

Handler = Callable[[Any], Any]


def rest_app(name: str) -> Chalice:
    """A Chalice app that answers every failure with a problem document (RFC 9457)."""
    app = Chalice(app_name=f"switchboard-{name}")
    app.api.cors = CORS
    app.register_middleware(_answer_problems, "http")
    return app


def _answer_problems(request: Any, get_response: Handler) -> Response:  # noqa: ANN401 - chalice gives no type
    try:
        response = get_response(request)
    except ProblemError as error:
        response = refusal(error.problem, error.headers)
    except UnavailableError as error:
        _log.error("Postgres is not available: %s", error)
        detail = "Nothing was recorded or read. Try again in a moment."
        response = refusal(problem(503, detail), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    except Exception:
        _log.exception("Unexpected failure")
        response = refusal(problem(500, "The failure is in the log of this function, with its cause."))
    _log.info("%s %s %s", request.method, request.path, response.status_code)
    return response


def refusal(found: Problem, headers: dict[str, str] | None = None) -> Response:
    sent: dict[str, str | list[str]] = {"Content-Type": "application/problem+json", **(headers or {})}
    return Response(body=found.model_dump_json(), status_code=found.status, headers=sent)


def answer(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    text = body.model_dump_json() if isinstance(body, BaseModel) else json.dumps(body, separators=(",", ":"))
    return Response(body=text, status_code=status, headers={"Content-Type": "application/json"})


def authenticate(app: Chalice) -> Bearer:
    """Who asks. Raises `ProblemError` (401)."""
    scheme, _, token = header(app, "authorization").partition(" ")
    challenge = {"WWW-Authenticate": "Bearer"}
    if scheme.lower() != "bearer" or not token:
        raise refuse(401, "Send a token: `Authorization: Bearer …`.", headers=challenge)
    if not settings().token_key:
        raise SettingMissingError("TOKEN_KEY")
    try:
        return tokens.read(settings().token_key, token.strip())
    except tokens.TokenError as error:
        raise refuse(401, str(error), headers=challenge) from None


def require(permitted: bool, what: str) -> None:
    """Raises `ProblemError` (403)."""
    if not permitted:
        raise refuse(403, f"This token does not permit its bearer to {what}.")


def json_body(app: Chalice) -> Any:  # noqa: ANN401 - JSON, not looked at yet
    """Raises `ProblemError` (400, 413, 415)."""
    content_type = (header(app, "content-type") or "application/json").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise refuse(415, f"{content_type} is not understood: send application/json.", ("Content-Type", "is not JSON"))
    raw: bytes | str = _request(app).raw_body
    return parse_json(raw.encode() if isinstance(raw, str) else raw)


def header(app: Chalice, name: str) -> str:
    return str(_request(app).headers.get(name, ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - chalice's mapping is untyped


def query(app: Chalice) -> dict[str, str]:
    return dict(_request(app).query_params or {})


def _request(app: Chalice) -> Request:
    assert app.current_request is not None, "only a route asks, and a route has its request"
    return app.current_request
