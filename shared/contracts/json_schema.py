"""JSON Schema as pydantic makes it of the contracts, without what only repeats or misleads."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class ContractJsonSchema(GenerateJsonSchema):
    """No title per field, which would only repeat its name, and no `default: null`.

    An optional field without a value is left out. `default: null` would make generated clients send null in its place.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own type
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's own type
        described = super().default_schema(schema)
        return {name: value for name, value in described.items() if name != "default" or value is not None}
