"""The API's client over the simulator, by a clock that moves only while somebody waits."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import BasicAccess
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.model.options import Audience, Environment
from simulator.calls import ApiRequest
from tests.support.fakes.credentials import FakeCredentials
from tests.support.thrive import basic_secret
from tests.support.world import NOW, World

CLIENT = {"tenantId": "eu-west-2_Simulat0r", "apiSecret": "simulator-api-secret"}
PIECES = 40
"""Pieces of a body that drips, one a second."""


@dataclass
class TimedService:
    """Answers for a world's simulator after ``seconds``, which may depend on the request.

    ``drips``: the headers come at once, and the body piece by piece. ``unreachable``: nothing
    listens at the service's address.
    """

    world: World
    seconds: Callable[[], float]
    drips: bool = False
    unreachable: bool = False
    statuses: list[int] = field(default_factory=list)

    def monotonic(self) -> float:
        return (self.world.now - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)

    def client(self, pace: CallPace, **silence: float) -> ThriveApi:
        """The exporter's own client, with the time-outs of a function's."""
        timeout = new_client(**silence).timeout
        transport = httpx.MockTransport(self._answer)
        return ThriveApi(
            Http(
                httpx.Client(transport=transport, timeout=timeout),
                pace=pace,
                monotonic=self.monotonic,
            ),
            endpoints(Environment.PRODUCTION, Audience.PUBLIC),
            BasicAccess(FakeCredentials(basic_secret(**CLIENT))),
            clock=self.world.clock,
            sleep=self.sleep,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        limits: dict[str, Any] = request.extensions["timeout"]
        if self.unreachable:
            self.sleep(limits["connect"])
            raise httpx.ConnectTimeout("nothing listens", request=request)
        seconds = self.seconds()
        self.sleep(min(seconds, limits["read"]))
        if seconds > limits["read"]:
            raise httpx.ReadTimeout("no answer", request=request)
        entry_id = re.search(r"cpdEntries/(.+)", request.url.path)
        answer = self.world.simulator.answer(
            ApiRequest(
                "entry" if entry_id else "listing",
                dict(request.headers),
                dict(request.url.params),
                entry_id[1] if entry_id else "",
            )
        )
        self.statuses.append(answer.status)
        body = Drip(answer.content, self.sleep) if self.drips else None
        headers = dict(answer.headers)
        if body is not None:
            return httpx.Response(answer.status, headers=headers, stream=body)
        return httpx.Response(answer.status, headers=headers, content=answer.content)


class Drip(httpx.SyncByteStream):
    """A body in pieces, one a second."""

    def __init__(self, content: bytes, sleep: Callable[[float], None]) -> None:
        self._content = content
        self._sleep = sleep

    def __iter__(self) -> Iterator[bytes]:
        size = -(-len(self._content) // PIECES)
        for start in range(0, len(self._content), size):
            self._sleep(1)
            yield self._content[start : start + size]
