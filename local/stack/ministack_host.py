"""Runs MiniStack with the bare interpreter; its one argument is the folder of MiniStack's packages.

MiniStack runs Python functions with its own interpreter. If that interpreter had MiniStack's
packages, a function could import a package that its layer lacks. Child processes do not inherit the
search path that this process sets.
"""

import binascii
import hashlib
import json
import os
import signal
import site
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def main() -> None:
    """Serve until the parent process ends."""
    packages = sys.argv.pop()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    site.addsitedir(packages)
    _authorise_batches_as_aws()
    _accept_saved_queries()
    _unpack_once()
    _keep_pace_with_backlogs()
    _read_forms_fast()

    from ministack.app import main as serve  # type: ignore[import-not-found]  # see above

    serve()


def _end_with_parent() -> None:
    """End the process group at the end of standard input: the parent holds its other end."""
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _authorise_batches_as_aws() -> None:
    """Check the permission of a single message for batches of messages, as AWS does.

    AWS has no permission such as sqs:SendMessageBatch, but MiniStack 1.5 requires it. A template
    that named it would be no valid policy for AWS.
    """
    from ministack.core import iam_actions  # type: ignore[import-not-found]  # see above

    extract = iam_actions.extract_iam_action

    def extract_single(*request: Any, **named: Any) -> str | None:
        action: str | None = extract(*request, **named)
        is_message = action is not None and action.startswith(("sns:", "sqs:"))
        return action.removesuffix("Batch") if action is not None and is_message else action

    iam_actions.extract_iam_action = extract_single


def _accept_saved_queries() -> None:
    """Let stacks hold saved queries, which MiniStack 1.5 refuses: of Logs Insights and of Athena.

    Nothing runs those of Logs Insights here. Athena lists the others.
    """
    from ministack.services import athena  # type: ignore[import-not-found]  # see above
    from ministack.services.cloudformation import (  # type: ignore[import-not-found]  # see above
        provisioners,
    )

    def create(logical_id: str, _properties: Any, stack_name: str) -> tuple[str, dict[str, str]]:
        return f"{stack_name}-{logical_id}", {}

    def delete(_physical_id: str, _properties: Any) -> None:
        pass

    def create_named(_logical_id: str, query: Any, _stack_name: str) -> tuple[str, dict[str, str]]:
        _, _, answer = athena._create_named_query(query)  # noqa: SLF001  # see below
        identifier = json.loads(answer)["NamedQueryId"]
        return identifier, {"NamedQueryId": identifier}

    def delete_named(identifier: str, _properties: Any) -> None:
        athena._delete_named_query({"NamedQueryId": identifier})  # noqa: SLF001  # see below

    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001  # it has no public place for them
    handlers["AWS::Logs::QueryDefinition"] = {"create": create, "delete": delete}
    handlers["AWS::Athena::NamedQuery"] = {"create": create_named, "delete": delete_named}


def _unpack_once() -> None:
    """Let all workers share the unpacked code and layers, which Lambda mounts read-only too.

    MiniStack 1.5 unpacks them for each worker: thousands of files, in ten seconds.
    """
    from ministack.core import lambda_runtime

    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": _SharedZip})


def _keep_pace_with_backlogs() -> None:
    """Let a full queue be about as fast as an empty one.

    MiniStack 1.5 goes over all messages of a queue in each call, and in each deletion of a batch: a
    subscriber that falls behind an export never catches up.
    """
    from ministack.services import sqs

    collect, delete_each = sqs._collect_msgs, sqs._act_delete_message_batch  # noqa: SLF001  # see below
    expire = sqs._expire_retained  # noqa: SLF001  # it has no public place for them
    expired_at: dict[int, float] = {}

    def collect_first(queue: Any, number: int, timeout: int) -> Any:
        now = time.time()
        visible = (one for one in queue["messages"] if one.get("visible_at", 0) <= now)
        first = {**queue, "messages": list(islice(visible, number))}
        return collect(queue if queue["is_fifo"] else first, number, timeout)

    def delete_together(data: Any, url: str) -> Any:
        queue = sqs._get_q(data.get("QueueUrl", url), "sqs:DeleteMessage")  # noqa: SLF001  # see above
        handles = {entry.get("ReceiptHandle") for entry in data.get("Entries", [])} - {None, ""}
        messages, named, others = queue["messages"], list[Any](), list[Any]()
        # What a subscriber deletes, it received last: it is at the front.
        for one in messages:
            (named if one.get("receipt_handle") in handles else others).append(one)
            if len(named) == len(handles):
                break
        others += messages[len(named) + len(others) :]
        queue["messages"] = named
        try:
            return delete_each(data, url)
        finally:
            queue["messages"] += others

    def expire_seldom(queue: Any) -> None:
        if time.time() - expired_at.get(id(queue), 0) > 1:
            expire(queue)
            expired_at[id(queue)] = time.time()

    sqs._collect_msgs, sqs._expire_retained = collect_first, expire_seldom  # noqa: SLF001  # see above
    sqs._HANDLERS["DeleteMessageBatch"] = delete_together  # noqa: SLF001  # see above


def _read_forms_fast() -> None:
    """Undo the escapes of a form in C, as those of quoted-printable text.

    A batch of events is JSON in a form, so it is full of them: that was a third of the work here.
    """
    plain = urllib.parse.unquote_plus

    def unquote_plus(text: str, encoding: str = "utf-8", errors: str = "replace") -> str:
        if "=" in text:
            return plain(text, encoding, errors)
        quoted = text.replace("+", " ").replace("%", "=").encode()
        return binascii.a2b_qp(quoted).decode(encoding, errors)

    urllib.parse.unquote_plus = unquote_plus  # type: ignore[assignment]


class _SharedZip(zipfile.ZipFile):
    """A ZIP file that is unpacked once; every further folder is a link to the first."""

    _unpacking = threading.Lock()

    def namelist(self) -> list[str]:
        """No names: MiniStack looks each up for a way out of its folder, as ``zipfile`` does."""
        return []

    def extractall(self, path: Any = None, *_: Any) -> None:
        archive = Path(self.filename or "")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        shared = Path(tempfile.gettempdir(), f"unpacked-{digest[:16]}")
        with self._unpacking:
            if not shared.exists():
                unfinished = shared.with_suffix(".part")
                super().extractall(unfinished, self.infolist())
                unfinished.rename(shared)
        Path(path).rmdir()
        Path(path).symlink_to(shared, target_is_directory=True)


if __name__ == "__main__":
    main()
