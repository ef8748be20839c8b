"""A tap made with the Singer SDK; its messages go nowhere, so a target's work comes on top.

Arguments: the API's URL, the tenant and its secret. A first sync of one offset page warms up.
"""

import json
import logging
import os
import sys
import time
from typing import Any, override

from requests import Response
from requests.auth import HTTPBasicAuth
from singer_sdk import RESTStream, Stream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator


class OffsetPages(BasePageNumberPaginator):
    """Counts up until an offset page is empty."""

    @override
    def has_more(self, response: Response) -> bool:
        pagination = response.json()["pagination"]
        return bool(pagination["page"] < pagination["totalPages"])


class CpdEntries(RESTStream[int]):
    """The listing, with the documented members."""

    name = "cpd_entries"
    path = "/rest/v1/cpdEntries"
    records_jsonpath = "$.results[*]"
    primary_keys = ("logEntryId",)
    schema = th.PropertiesList(
        th.Property("logEntryId", th.StringType),
        th.Property("userId", th.StringType),
        th.Property("activity", th.ObjectType(additional_properties=True)),
        th.Property("category", th.ObjectType(additional_properties=True)),
        th.Property("entryDate", th.DateTimeType),
        th.Property("durationMinutes", th.IntegerType),
        th.Property("description", th.StringType),
        th.Property("isVerified", th.BooleanType),
    ).to_dict()
    read = 0

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"])

    @property
    @override
    def authenticator(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self.config["tenant_id"], self.config["secret"])

    @override
    def get_new_paginator(self) -> OffsetPages:
        return OffsetPages(1)

    @override
    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:
        return {"page": next_page_token, "perPage": 1000}

    @override
    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        CpdEntries.read += 1
        return row


class CpdTap(Tap):
    """The tap of one stream."""

    name = "tap-cpd"
    config_jsonschema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in ("api_url", "tenant_id", "secret"))
    ).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        return [CpdEntries(tap=self)]


def main(api_url: str, tenant_id: str, secret: str) -> dict[str, float]:
    """Returns the entries and the CPU seconds of the second sync."""
    logging.disable()
    config = {"api_url": api_url, "tenant_id": tenant_id, "secret": secret}
    CpdTap(config=config).run_connection_test()
    CpdEntries.read, began = 0, time.process_time()
    CpdTap(config=config).sync_all()
    return {"entries": CpdEntries.read, "cpuSeconds": time.process_time() - began}


if __name__ == "__main__":
    # Messages go to the descriptor of standard output.
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    figures = main(*sys.argv[1:])
    sys.stdout.flush()
    os.dup2(out, 1)
    print(json.dumps(figures), flush=True)
