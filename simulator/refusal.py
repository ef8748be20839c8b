"""A call that is not answered with 200."""

import json
from collections.abc import Mapping
from http.client import responses
from typing import Any

HTML_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class Refused(Exception):  # noqa: N818 - an answer like any other, not an error of ours
    """What the caller gets instead: a status, headers and a body (documented form by default)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        html: bool = False,
    ) -> None:
        super().__init__(f"{status}: {message}")
        phrase = responses.get(status, "Error")
        self.status = status
        self.headers = dict(headers or {})
        self.media_type = "text/html" if html else "application/json"
        self.content = (
            HTML_PAGE.format(f"{status} {phrase}")
            if html
            else json.dumps(body or {"status": status, "error": phrase, "message": message})
        )
