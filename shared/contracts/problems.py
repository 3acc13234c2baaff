"""Problem details (RFC 9457), the form of every error response."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class FieldError(BaseModel):
    """One invalid field."""

    field: str = Field(description="path to the field, such as metadata.caller or [3].waitTime")
    message: str


class Problem(BaseModel):
    """A problem document. `errors` names the invalid fields, if there are any."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(default_factory=list[FieldError])


class ProblemError(Exception):
    """A request cannot be fulfilled. The handler turns it into the response."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers or {}


TITLES = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    409: "The event is not possible at its time",
    413: "The request is too large",
    415: "The content type is not supported",
    422: "The key was used before",
    429: "Too many requests",
    500: "Unexpected error",
    503: "Temporarily unavailable",
    504: "No response in time",
}


def problem(status: int, detail: str, *errors: tuple[str, str], kind: str = "about:blank") -> Problem:
    return Problem(
        type=kind,
        title=TITLES[status],
        status=status,
        detail=detail,
        errors=[FieldError(field=field, message=message) for field, message in errors],
    )


def refuse(status: int, detail: str, *errors: tuple[str, str], headers: dict[str, str] | None = None) -> ProblemError:
    return ProblemError(problem(status, detail, *errors), headers)


def from_validation(error: ValidationError, skip: int = 0) -> Problem:
    """Return a 400 that names each invalid field. The first `skip` parts of each path are omitted (a union's tag)."""
    details = error.errors(include_url=False)[:20]
    errors = [(path(*entry["loc"][skip:]), entry["msg"].removeprefix("Value error, ")) for entry in details]
    fields = ", ".join(dict.fromkeys(field for field, _ in errors))
    return problem(400, f"Not valid: {fields}", *errors)


def path(*parts: str | int) -> str:
    """Join the parts of a path: ("metadata", "tags", 3) gives metadata.tags[3]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "body"
