"""Downloads the responses that the worker read, and looks at none of them.

Arguments: the file that names the worker's requests, the tenant and its secret.
"""

import json
import sys
import time
from pathlib import Path

import urllib3


def main(requests: str, tenant_id: str, secret: str) -> dict[str, float]:
    """Returns the bytes and the CPU seconds of all responses but the first."""
    urls = Path(requests).read_text().splitlines()
    headers = urllib3.make_headers(basic_auth=f"{tenant_id}:{secret}")
    pool = urllib3.PoolManager()
    pool.request("GET", urls[0], headers=headers)
    size, began = 0, time.process_time()
    for url in urls:
        size += len(pool.request("GET", url, headers=headers).data)
    return {"bytes": size, "cpuSeconds": time.process_time() - began}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
