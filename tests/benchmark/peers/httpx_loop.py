"""The usual script: offset pages by httpx and json, one gzipped line an entry.

Arguments: the API's URL, the tenant and its secret.
"""

import gzip
import json
import sys
import tempfile
import time

import httpx


def main(api_url: str, tenant_id: str, secret: str) -> dict[str, float]:
    """Returns the entries and the CPU seconds of all offset pages but the first."""
    entries, began = 0, 0.0
    with (
        httpx.Client(base_url=api_url, auth=(tenant_id, secret)) as client,
        tempfile.TemporaryFile() as file,
        gzip.open(file, "wt", compresslevel=6) as lines,
    ):
        page = 1
        while True:
            answer = client.get("/rest/v1/cpdEntries", params={"page": page, "perPage": 1000})
            results = json.loads(answer.content)["results"]
            for entry in results:
                lines.write(json.dumps(entry) + "\n")
            if page == 1:
                began = time.process_time()
            else:
                entries += len(results)
            if not results:
                break
            page += 1
    return {"entries": entries, "cpuSeconds": time.process_time() - began}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
