"""The query parameters of requests. Several values of one parameter are joined by commas."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from shared.contracts.base import Id, Language
from shared.contracts.figures import BucketName, GroupName
from shared.contracts.problems import ProblemError, from_validation, refuse
from shared.contracts.views import CallView

NO_VALUE = "-"  # selects calls without a language or without an agent
MAX_LIMIT = 500
CALL_FIELDS: list[Any] = [to_camel(name) for name in CallView.model_fields]
FlagName = Literal["sla_breached", "hold_exceeded", "short_call", "rerouted"]
StatusName = Literal["waiting", "active", "on_hold", "ended"]
SortName = Literal["-start", "start", "-wait", "wait", "-duration", "duration", "urgency", "id"]
FormatName = Literal["json", "csv", "ndjson"]
YesOrNo = Literal["true", "false"]


def _several(value: object) -> object:
    """Split at commas. Empty text is one invalid value: a filter left empty by mistake must not show everything."""
    return value.split(",") if isinstance(value, str) else value


def _moment(value: object) -> object:
    """Read RFC 3339 with an offset. Pydantic alone would read a number as seconds since 1970."""
    if not isinstance(value, str) or len(value) < len("2026-01-31T00:00Z"):
        raise ValueError("is not a time such as 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("has no offset: add Z for UTC")
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _whole(value: object) -> object:
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9):
        raise ValueError("is not a whole number")
    return int(value)


T = TypeVar("T")
BY_COMMAS = BeforeValidator(_several)
Several = Annotated[tuple[T, ...], Field(min_length=1, max_length=200), BY_COMMAS]
QueryMoment = Annotated[datetime, BeforeValidator(_moment)]
IdOrNone = Id | Literal["-"]
LanguageOrNone = Language | Literal["-"]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(_whole)]
Cursor = Annotated[str, Field(min_length=1, max_length=2000, description="`nextCursor` of the previous page")]
Zone = Annotated[
    str,
    Field(
        pattern=r"^(UTC|[+-](0\d|1[0-3]):[0-5]\d|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+){1,2})$",
        description="the time zone of days: UTC, an offset such as +02:00, or a name such as Europe/Madrid",
    ),
]


class Query(BaseModel):
    """The parameters of one resource. Unknown ones are refused: a misspelt filter must not show everything."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=False, validate_by_alias=True, extra="forbid", frozen=True
    )


class CallFilter(Query):
    """Filters of calls. Without `queueId`, all queues of the token are selected."""

    queue_id: Several[Id] = ()
    agent_id: Several[IdOrNone] = ()
    language: Annotated[tuple[LanguageOrNone, ...], Field(min_length=1, max_length=50), BY_COMMAS] = ()
    type: Several[Literal["voice", "video"]] = ()
    since: Annotated[QueryMoment | None, Field(alias="from", description="the earliest start")] = None
    until: Annotated[QueryMoment | None, Field(alias="to", description="starts before this time")] = None


class Paged(Query):
    """The page of a list."""

    limit: Limit = 50
    cursor: Cursor | None = None


class CallsQuery(CallFilter, Paged):
    """A call must match all given parameters. It matches a parameter by any of its values."""

    status: Several[StatusName] = ()
    flag: Several[FlagName] = ()
    no_flag: Annotated[Several[FlagName], Field(description="calls without any of these flags")] = ()
    end_reason: Several[Literal["completed", "abandoned", "failed"]] = ()
    id: Annotated[Id | None, Field(description="the beginning of the call's id; the calls are sorted by id")] = None
    answered: YesOrNo | None = None
    waited: Annotated[YesOrNo | None, Field(description="whether the wait is over and known")] = None
    held: YesOrNo | None = None
    missed: Annotated[YesOrNo | None, Field(description="whether the call has a missed offer")] = None
    missed_by: Annotated[Several[Id], Field(description="agents who missed an offer of the call")] = ()
    transferred: YesOrNo | None = None
    sort: Annotated[
        SortName | None,
        Field(
            description="newest first by default; `wait` and `duration` list calls that have one; `urgency` lists only "
            "open calls, the next deadline first; `id` needs the parameter `id`"
        ),
    ] = None
    fields: Several[Annotated[str, Field(json_schema_extra={"enum": [*CALL_FIELDS]})]] = ()
    format: Annotated[FormatName | None, Field(description="overrides the Accept header")] = None

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - set(CALL_FIELDS)):
            raise ValueError(f"{unknown[0]!r} is not a field of a call")
        return names

    @model_validator(mode="after")
    def _sorts_by_id_if_given(self) -> Self:
        if (self.id is not None) != (self.sort == "id") and self.sort is not None:
            raise refuse(400, "Not valid: sort", ("sort", "must be id if the parameter `id` is given, and only then"))
        return self

    @property
    def order(self) -> SortName:
        return self.sort or ("id" if self.id is not None else "-start")


class EventsQuery(Paged):
    """The page of a call's events."""

    limit: Limit = MAX_LIMIT


class MetricsQuery(CallFilter):
    """`from` is the beginning of the day by default, and `to` is now."""

    group_by: Annotated[tuple[GroupName, ...], Field(min_length=1, max_length=4), BY_COMMAS] = ()
    bucket: BucketName | None = None
    zone: Zone = "UTC"


Q = TypeVar("Q", bound=Query)


def parse_query(model: type[Q], parameters: dict[str, Any]) -> Q:
    """Read query parameters. Raises `ProblemError` (400) that names each invalid parameter."""
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        raise ProblemError(_without_positions(error)) from None


def _without_positions(error: ValidationError) -> Any:  # noqa: ANN401 - a Problem
    """Name a parameter, not the position of a value in it."""
    problem = from_validation(error)
    errors = [entry.model_copy(update={"field": entry.field.split("[")[0].split(".")[0]}) for entry in problem.errors]
    names = ", ".join(dict.fromkeys(entry.field for entry in errors))
    return problem.model_copy(update={"errors": errors, "detail": f"Not valid: {names}"})
