"""Entity tags, links to the next page, and content types of responses."""

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode

import orjson
from chalice.app import Chalice, Response

from shared.adapters.http import rest
from shared.contracts import exports
from shared.usecases.reading.reads import Page


def cached(
    app: Chalice, response: Response, *, next_cursor: str | None = None, tagged: bytes | None = None
) -> Response:
    """Add an entity tag and a link to the next page. 304 if the client has the current version."""
    if next_cursor:
        parameters = {name: value for name, value in rest.query(app).items() if name != "cursor"}
        response.headers["Link"] = f'<?{urlencode({**parameters, "cursor": next_cursor}, safe=":,")}>; rel="next"'
    tag = hashlib.blake2b(str(response.body).encode() if tagged is None else tagged, digest_size=12).hexdigest()
    headers: dict[str, Any] = dict(response.headers) | {"ETag": f'W/"{tag}"', "Vary": "Accept, Authorization"}
    known = {each.strip().removeprefix("W/") for each in rest.header(app, "if-none-match").split(",")}
    if f'"{tag}"' in known or "*" in known:
        return Response(body="", status_code=304, headers=headers)
    return Response(body=response.body, status_code=response.status_code, headers=headers)


def page(html: str) -> Response:
    """A page whose policy permits only its own script and requests to its own origin."""
    allowed = " ".join(f"{kind}-src '{_hash(html, tag)}';" for kind, tag in (("script", "script"), ("style", "style")))
    policy = f"default-src 'none'; {allowed} connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    return Response(html, headers={"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy})


def _hash(html: str, tag: str) -> str:
    inside = html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}"


def listed(app: Chalice, page: Page) -> Response:
    """A page of calls in the requested content type.

    The entity tag covers the calls and whether more follow, but not the position, which changes all the time.
    """
    content_type, rows = _content_type(app, page), b",".join(page.encoded)
    if content_type == exports.CSV:
        text = exports.to_csv(page.rows, page.query.fields, header=page.query.cursor is None)
    elif content_type == exports.NDJSON:
        text = exports.to_ndjson(page.encoded)
    else:
        end: dict[str, Any] = {"nextCursor": page.next_cursor, "position": page.position}
        if page.query.fields:
            end["fields"] = page.query.fields
        text = f'{{"data":[{rows.decode()}],{orjson.dumps(end).decode()[1:]}'
    response = Response(body=text, headers={"Content-Type": content_type})
    tagged = content_type.encode() + (b"+" if page.next_cursor else b".") + rows
    return cached(app, response, next_cursor=page.next_cursor, tagged=tagged)


def _content_type(app: Chalice, page: Page) -> str:
    if page.query.format:
        return {"csv": exports.CSV, "ndjson": exports.NDJSON, "json": exports.JSON}[page.query.format]
    accepted = rest.header(app, "accept").lower()
    return next((form for form in (exports.CSV, exports.NDJSON) if form.split(";")[0] in accepted), exports.JSON)
