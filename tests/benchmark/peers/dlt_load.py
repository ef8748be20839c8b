"""dlt: a resource of offset pages, loaded as gzipped JSON lines into a folder.

Arguments: the API's URL, the tenant and its secret. A first load of one offset page warms up. dlt
reads the responses by orjson: it writes no integer beyond 64 bits, and orjson rounds those.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.common.json import json as dlt_json
from dlt.sources.helpers import requests


def main(api_url: str, tenant_id: str, secret: str) -> dict[str, float]:
    """Returns the entries and the CPU seconds of the second load, its threads included."""
    read = 0

    @dlt.resource(name="cpd_entries", primary_key="logEntryId")
    def listing(last: int | None) -> Iterator[list[dict[str, Any]]]:
        nonlocal read
        page = 1
        while last is None or page <= last:
            params = {"page": page, "perPage": 1000}
            answer = requests.get(
                f"{api_url}/rest/v1/cpdEntries", params=params, auth=(tenant_id, secret)
            )
            results = dlt_json.loadb(answer.content)["results"]
            if not results:
                return
            read += len(results)
            yield results
            page += 1

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=f"{folder}/state",
            destination=dlt.destinations.filesystem(Path(folder, "lake").as_uri()),
            dataset_name="lake",
        )
        pipeline.run(listing(1), loader_file_format="jsonl")
        read, began = 0, time.process_time()
        pipeline.run(listing(None), loader_file_format="jsonl")
        seconds = time.process_time() - began
    return {"entries": read, "cpuSeconds": seconds}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
