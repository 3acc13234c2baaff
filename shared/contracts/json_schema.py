"""The JSON Schema of contracts: pydantic's, without titles of fields and null defaults."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class ContractJsonSchema(GenerateJsonSchema):
    """Omits titles that repeat a field's name, and `default: null`.

    A client omits an optional field without a value. With `default: null`, generated clients would send null.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own type
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's own type
        described = super().default_schema(schema)
        return {name: value for name, value in described.items() if name != "default" or value is not None}
