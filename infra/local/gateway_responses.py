"""The gateway responses of template.yaml on MiniStack.

MiniStack uses an API's gateway responses for its own errors, but does not read them from the OpenAPI body, where SAM
writes them. For failed or throttled functions, API Gateway uses them too, and MiniStack does not.
"""

from typing import Any

from ministack.services import apigateway_v1

Json = dict[str, Any]
EXTENSION = "x-amazon-apigateway-gateway-responses"


class IntegrationError(Exception):
    """A function did not answer. The gateway answers with the gateway response of this type."""

    def __init__(self, response_type: str) -> None:
        super().__init__(response_type)
        self.response_type = response_type


def install() -> None:
    """Replace MiniStack's functions by the wrappers. MiniStack calls them by their names in the module."""
    apigateway_v1._import_rest_api = import_rest_api
    apigateway_v1._lambda_proxy_response = lambda_proxy_response
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_lambda_proxy


def import_rest_api(spec: Json, base: Json | None = None) -> str:
    """Import an API with its gateway responses. Returns its id. Raises `ValueError` for an invalid response."""
    api_id: str = _import_rest_api(spec, base)
    for response_type, response in spec.get(EXTENSION, {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, response_type, response)
        if status >= 400:
            raise ValueError(f"gateway response {response_type}: {body!r}")
    return api_id


def lambda_proxy_response(result: Json) -> tuple[Json | None, str | None]:
    """As MiniStack's. Raises `IntegrationError` if the function failed or was throttled."""
    if result.get("throttle"):
        raise IntegrationError("THROTTLED")
    response, error = _lambda_proxy_response(result)
    if error:
        raise IntegrationError("DEFAULT_5XX")
    return response, error


async def invoke_lambda_proxy(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - MiniStack has no types
    """As MiniStack's, with the gateway response if the function did not answer."""
    try:
        return await _invoke_lambda_proxy(*arguments, **named)
    except IntegrationError as error:
        return apigateway_v1._gw_error(error.response_type, None)


_import_rest_api = apigateway_v1._import_rest_api
_lambda_proxy_response = apigateway_v1._lambda_proxy_response
_invoke_lambda_proxy = apigateway_v1._invoke_lambda_proxy_v1
