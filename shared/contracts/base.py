"""What all contracts have in common: names, times, identifiers."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and a Z, as readers get every time. By orjson, at a third of `isoformat`'s price."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    words = orjson.dumps(moment).decode()  # quoted; without a fraction where that is zero, else with microseconds
    return f"{words[1:24]}Z" if moment.microsecond else f"{words[1:20]}.000Z"


AS_RFC3339 = PlainSerializer(rfc3339, return_type=str, when_used="always")
Moment = Annotated[datetime, AS_RFC3339]

# Ids stand in paths, topics and logs: letters, digits and the marks that telephony uses, nothing that needs escaping.
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@+=-]{1,128}$")]
# Not `-` alone, which stands for nobody among calls.
AgentId = Annotated[str, Field(pattern=r"^([A-Za-z0-9._:@+=][A-Za-z0-9._:@+=-]{0,127}|-[A-Za-z0-9._:@+=-]{1,127})$")]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", description="BCP 47 tag, such as es")]
Priority = Annotated[int, Field(ge=0, le=9, description="9 is the most urgent")]
RoutingName = Literal["telephony", "switchboard"]
StrategyName = Literal["longest_idle", "least_occupied", "most_skilled"]

WEEK_SECONDS = 7 * 24 * 3600
Seconds = Annotated[float, Field(ge=0, le=WEEK_SECONDS, allow_inf_nan=False, description="seconds, a week at most")]


class Contract(BaseModel):
    """A model that travels in camelCase and refuses to guess types."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        strict=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,  # at first use: a cold start pays for the models of this function, not for all of them
    )

    @classmethod
    def trusted(cls, **values: Any) -> Self:  # noqa: ANN401 - each model's own
        """Of values that are right by construction and complete: `model_construct` at a tenth of its price."""
        made = cls.__new__(cls)
        for slot, value in (("__dict__", values), ("__pydantic_fields_set__", cls.__pydantic_fields__.keys())):
            object.__setattr__(made, slot, value)
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made
