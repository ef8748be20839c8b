"""MiniStack: the account emulated in one process on loopback, with IAM enforced."""

import contextlib
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from local.account import Account
from local.places import ROOT, TOOLS
from local.problem import UserError
from local.processes import running, tail

REGION = "us-east-1"
HOST = "127.0.0.1"
_READY_WITHIN_SECONDS = 60
_ROOT_KEY = "test"  # MiniStack's own name, and password, for the root user

_NOT_INHERITED = ("AWS_", "CPD_", "PYTHON", "VIRTUAL_ENV", "SAM_", "MINISTACK_")
"""What must not reach the functions, or the tools: credentials, other accounts, other packages."""


@contextlib.contextmanager
def emulator(port: int, folder: Path) -> Iterator[Account]:
    """A new and empty account; port 0 takes a free one. All that it writes is in the folder."""
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
        # A name without a socket: MiniStack would clear away the containers of other MiniStacks.
        "DOCKER_HOST": f"unix://{scratch}/none",
        # There is no daemon to send traces to.
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    log = folder / "ministack.log"
    host = ROOT / "local/ministack_host.py"
    with running([python, "-I", host, packages], env, log) as process:
        endpoint = f"http://{HOST}:{port}"
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while not is_ready(endpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"MiniStack did not start on port {port}:\n{tail(log)}")
            time.sleep(0.1)
        yield _administrator(Account(endpoint, REGION, _ROOT_KEY, _ROOT_KEY))


def account_at(port: int) -> Account:
    """The account of an emulator that somebody else keeps up, as its root user."""
    if not _answers(port):
        raise UserError(f"nothing answers at port {port}: is `up` running, with --port {port}?")
    return Account(f"http://{HOST}:{port}", REGION, _ROOT_KEY, _ROOT_KEY)


def inherited_environment() -> dict[str, str]:
    """What a child process gets of this one's environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
    no_proxy = ",".join(filter(None, [kept.get("NO_PROXY"), HOST, "localhost"]))
    return kept | {"NO_PROXY": no_proxy, "no_proxy": no_proxy}


def _administrator(root: Account) -> Account:
    """A user whom policies rule; the root user would be let through without a look at them."""
    name = "administrator"
    root.iam.create_user(UserName=name)
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    root.iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    return Account(root.endpoint, root.region, key["AccessKeyId"], key["SecretAccessKey"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def is_ready(endpoint: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{endpoint}/_ministack/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
