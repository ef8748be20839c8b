"""MiniStack: one process that emulates an account on loopback and enforces IAM."""

import contextlib
import errno
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from local.errors import UserError
from local.places import ROOT, TOOLS
from local.stack.account import EmulatedAccount
from local.stack.processes import running, tail

REGION = "us-east-1"
HOST = "127.0.0.1"
_MAX_START_SECONDS = 600
"""Nothing but a machine that is very busy makes an emulator start so slowly: one that cannot start
ends at once."""

_MAX_ANSWER_SECONDS = 60
_ROOT_KEY = "test"  # both the key ID and the key of MiniStack's root user

_NOT_INHERITED = ("AWS_", "CPD_", "PYTHON", "VIRTUAL_ENV", "SAM_", "MINISTACK_")
"""Variables of other accounts, credentials and packages; functions and tools must not see them."""


@contextlib.contextmanager
def emulator(port: int, folder: Path) -> Iterator[EmulatedAccount]:
    """Start an empty account; port 0 picks a free port. MiniStack writes into the folder only."""
    port = port or _free_port()
    if _answers(port):
        raise UserError(f"port {port} is taken; name another one with --port")
    python = TOOLS / "python/bin/python"
    packages = next((TOOLS / "ministack/lib").glob("python3*/site-packages"), None)
    if packages is None or not python.exists():
        raise UserError("Python 3.13 or the emulator is missing; `make tools` installs them")
    scratch = folder / "tmp"
    scratch.mkdir(parents=True)
    env = inherited_environment() | {
        "AUTH": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(scratch),
        "AWS_ACCESS_KEY_ID": _ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
        # With a Docker socket, MiniStack would remove the containers of other MiniStacks.
        "DOCKER_HOST": f"unix://{scratch}/none",
        # No daemon on this machine accepts traces.
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    log = folder / "ministack.log"
    host = ROOT / "local/stack/ministack_host.py"
    with running([python, "-I", host, packages], env, log) as process:
        endpoint = f"http://{HOST}:{port}"
        deadline = time.monotonic() + _MAX_START_SECONDS
        while not is_ready(endpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"MiniStack did not start on port {port}:\n{tail(log)}")
            time.sleep(0.1)
        yield _administrator(EmulatedAccount(endpoint, REGION, _ROOT_KEY, _ROOT_KEY))


def account_at(port: int, *, is_noted: bool) -> EmulatedAccount:
    """Return the account of an emulator that another process keeps up, as its root user.

    One that `up` has noted may answer slowly; whatever else is at the port is soon given up.
    """
    if not _answers(port):
        raise UserError(f"nothing answers at port {port}: is `up` running, with --port {port}?")
    endpoint = f"http://{HOST}:{port}"
    if is_ready(endpoint):
        return EmulatedAccount(endpoint, REGION, _ROOT_KEY, _ROOT_KEY)
    if not is_noted:
        raise UserError(f"what answers at port {port} is no stack that `make up` keeps up")
    sys.stderr.write(f"The stack at port {port} is slow to answer\n")
    if not is_ready(endpoint, seconds=_MAX_ANSWER_SECONDS):
        raise UserError(
            f"the stack at port {port} has not answered for {_MAX_ANSWER_SECONDS} s: it is busy or "
            "suspended"
        )
    return EmulatedAccount(endpoint, REGION, _ROOT_KEY, _ROOT_KEY)


def inherited_environment() -> dict[str, str]:
    """Return the part of this process's environment that child processes inherit."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
    no_proxy = ",".join(filter(None, [kept.get("NO_PROXY"), HOST, "localhost"]))
    return kept | {"NO_PROXY": no_proxy, "no_proxy": no_proxy}


def _administrator(root: EmulatedAccount) -> EmulatedAccount:
    """Make a user to whom policies apply; MiniStack checks no policies for the root user."""
    name = "administrator"
    root.iam.create_user(UserName=name)
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    root.iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    return EmulatedAccount(root.endpoint, root.region, key["AccessKeyId"], key["SecretAccessKey"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def has_ended(port: int) -> bool:
    """Whether nobody listens at a port any more. A stack that answers slowly still listens."""
    with socket.socket() as probe:
        probe.settimeout(_MAX_ANSWER_SECONDS)
        return probe.connect_ex((HOST, port)) == errno.ECONNREFUSED


def is_ready(endpoint: str, *, seconds: float = 5) -> bool:
    """Whether MiniStack answers at the endpoint, within some seconds."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{endpoint}/_ministack/ready", timeout=seconds) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
