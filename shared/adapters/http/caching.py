"""What answers to readers have beside their body: an entity tag, the next page's address, the form asked for."""

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
    """With its entity tag, and where the list goes on; 304 where the reader has it already."""
    if next_cursor:
        again = {name: value for name, value in rest.query(app).items() if name != "cursor"}
        response.headers["Link"] = f'<?{urlencode({**again, "cursor": next_cursor}, safe=":,")}>; rel="next"'
    tag = hashlib.blake2b(str(response.body).encode() if tagged is None else tagged, digest_size=12).hexdigest()
    headers: dict[str, Any] = dict(response.headers) | {"ETag": f'W/"{tag}"', "Vary": "Accept, Authorization"}
    known = {each.strip().removeprefix("W/") for each in rest.header(app, "if-none-match").split(",")}
    if f'"{tag}"' in known or "*" in known:
        return Response(body="", status_code=304, headers=headers)
    return Response(body=response.body, status_code=response.status_code, headers=headers)


def page(html: str) -> Response:
    """A page that may run its own script and no other, and speak to nobody but us."""
    allowed = " ".join(f"{kind}-src '{_hash(html, tag)}';" for kind, tag in (("script", "script"), ("style", "style")))
    policy = f"default-src 'none'; {allowed} connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    return Response(html, headers={"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy})


def _hash(html: str, tag: str) -> str:
    inside = html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}"


def listed(app: Chalice, page: Page) -> Response:
    """A page of calls in the form that was asked for.

    Its tag is that of the calls, and of whether more follow: the position moves all the time.
    """
    form, rows = _form(app, page), b",".join(page.encoded)
    if form == exports.CSV:
        text = exports.to_csv(page.rows, page.query.fields, header=page.query.cursor is None)
    elif form == exports.NDJSON:
        text = exports.to_ndjson(page.encoded)
    else:
        end: dict[str, Any] = {"nextCursor": page.next_cursor, "position": page.position}
        if page.query.fields:
            end["fields"] = page.query.fields
        text = f'{{"data":[{rows.decode()}],{orjson.dumps(end).decode()[1:]}'
    response = Response(body=text, headers={"Content-Type": form})
    tagged = form.encode() + (b"+" if page.next_cursor else b".") + rows
    return cached(app, response, next_cursor=page.next_cursor, tagged=tagged)


def _form(app: Chalice, page: Page) -> str:
    if page.query.format:
        return {"csv": exports.CSV, "ndjson": exports.NDJSON, "json": exports.JSON}[page.query.format]
    accepted = rest.header(app, "accept").lower()
    return next((form for form in (exports.CSV, exports.NDJSON) if form.split(";")[0] in accepted), exports.JSON)
