"""Signs requests to AWS with the function's own role (SigV4). Imported only where AWS is really there."""

from typing import Any

import botocore.session  # pyright: ignore[reportMissingTypeStubs] - untyped upstream
from botocore.auth import SigV4Auth  # pyright: ignore[reportMissingTypeStubs] - untyped upstream
from botocore.awsrequest import AWSRequest  # pyright: ignore[reportMissingTypeStubs] - untyped upstream


class Signer:
    def __init__(self, service: str) -> None:
        session: Any = botocore.session.get_session()  # pyright: ignore[reportUnknownMemberType] - untyped upstream
        self._credentials: Any = session.get_credentials()
        self._service, self._region = service, session.get_config_variable("region")

    def headers(self, method: str, url: str, body: bytes, more: dict[str, str] | None = None) -> dict[str, str]:
        """All headers to send, with `more`. The credentials are asked each time: a role's change within the hour."""
        request: Any = AWSRequest(method=method, url=url, data=body, headers=more)
        auth: Any = SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region)
        auth.add_auth(request)
        return dict(request.headers.items())
