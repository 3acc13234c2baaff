"""Problem details (RFC 9457): the one form in which anything is refused."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class FieldError(BaseModel):
    field: str = Field(description="path to the field, such as metadata.caller or [3].waitTime")
    message: str


class Problem(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = Field(default_factory=list[FieldError])


class ProblemError(Exception):
    """Raised where work cannot go on; the outermost function turns it into the answer."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers or {}


TITLES = {
    400: "The request is not valid",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    409: "The event is not possible now",
    413: "The request is too large",
    415: "The content type is not understood",
    422: "The key was used for something else",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Not available for the moment",
    504: "No answer in time",
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
    """Name each offending field. `skip` leading parts of a path are the model's own (a union's tag)."""
    found = error.errors(include_url=False)[:20]
    errors = [(path(*entry["loc"][skip:]), entry["msg"].removeprefix("Value error, ")) for entry in found]
    fields = ", ".join(dict.fromkeys(field for field, _ in errors))
    return problem(400, f"Not valid: {fields}", *errors)


def path(*parts: str | int) -> str:
    """("metadata", "tags", 3) as metadata.tags[3]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "body"
