"""A fast script: offset pages by urllib3 in four threads, read and written by orjson, gzipped.

Arguments: the API's URL, the tenant and its secret. Each page is one file, compressed at zlib's
fastest level.
"""

import json
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import urllib3

THREADS = 4


def main(api_url: str, tenant_id: str, secret: str) -> dict[str, float]:
    """Returns the entries and the CPU seconds of all offset pages but the first."""
    headers = urllib3.make_headers(basic_auth=f"{tenant_id}:{secret}")
    pool = urllib3.PoolManager(maxsize=THREADS)
    with tempfile.TemporaryDirectory() as folder:

        def read(page: int) -> tuple[int, int]:
            url = f"{api_url}/rest/v1/cpdEntries?page={page}&perPage=1000"
            answer = orjson.loads(pool.request("GET", url, headers=headers).data)
            lines = b"\n".join(map(orjson.dumps, answer["results"]))
            Path(folder, f"{page}.jsonl.gz").write_bytes(zlib.compress(lines, 1, wbits=31))
            return len(answer["results"]), answer["pagination"]["totalPages"]

        with ThreadPoolExecutor(THREADS) as threads:
            _, pages = read(1)
            began = time.process_time()
            entries = sum(count for count, _ in threads.map(read, range(2, pages + 1)))
            seconds = time.process_time() - began
    return {"entries": entries, "cpuSeconds": seconds}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
