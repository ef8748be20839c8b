"""The simulated service over real HTTP."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.behaviour import Endpoint, ScheduledChange
from simulator.calls import ApiAnswer, ApiRequest
from simulator.simulator import Simulator

LOOPBACK = "127.0.0.1"
_MAX_DAYS = 36_500

# uvicorn logs a response that ends early as an error; the simulator does so on purpose.
logging.getLogger("uvicorn.error").addFilter(
    lambda record: "without completing response" not in record.getMessage()
)


def application(simulator: Simulator) -> Starlette:
    """The API's routes, and two of the simulator's own for other processes.

    `GET /_simulator/calls` sums up the calls. `POST /_simulator/changes` changes entries.
    """

    async def respond(http: HttpRequest, endpoint: Endpoint) -> Response:
        request = ApiRequest(
            endpoint=endpoint,
            headers=dict(http.headers),
            query=dict(http.query_params),
            log_entry_id=http.path_params.get("log_entry_id", ""),
            tenant_id=http.path_params.get("tenant_id", ""),
            body=(await http.body()).decode(errors="replace"),
        )
        # A thread, because a test's hook may block, or call the API itself.
        answer = await run_in_threadpool(simulator.answer, request)
        await asyncio.sleep(answer.delay)
        return _response(answer)

    async def listing(http: HttpRequest) -> Response:
        return await respond(http, "listing")

    async def entry(http: HttpRequest) -> Response:
        return await respond(http, "entry")

    async def summaries(http: HttpRequest) -> Response:
        return await respond(http, "summaries")

    async def token(http: HttpRequest) -> Response:
        return await respond(http, "token")

    async def calls(_: HttpRequest) -> Response:
        return JSONResponse(calls_summary(simulator))

    async def changes(http: HttpRequest) -> Response:
        return _changed(simulator, await http.body())

    async def not_part_of_the_api(http: HttpRequest, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code != 404:
            return Response(status_code=error.status_code, headers=error.headers)
        return _response(simulator.not_found(f"{http.method} {http.url.path} does not exist"))

    app = Starlette(
        routes=[
            Route("/rest/v1/cpdEntries", listing, methods=["GET"]),
            Route("/rest/v1/cpdEntries/{log_entry_id}", entry, methods=["GET"]),
            Route("/rest/v1/cpdUserLogSummaries", summaries, methods=["GET"]),
            Route("/oauth2/token/{tenant_id}", token, methods=["POST"]),
            Route("/_simulator/calls", calls, methods=["GET"]),
            Route("/_simulator/changes", changes, methods=["POST"]),
        ],
        exception_handlers={HTTPException: not_part_of_the_api},
    )
    app.router.redirect_slashes = False
    return app


def _changed(simulator: Simulator, body: bytes) -> Response:
    try:
        wanted = json.loads(body)
        days = int(wanted.pop("days"))
        if not 0 < days <= _MAX_DAYS:
            raise ValueError
        change = ScheduledChange.model_validate(wanted)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return Response(status_code=400)
    return JSONResponse({"changed": simulator.change(change, days)})


def calls_summary(simulator: Simulator) -> dict[str, object]:
    """Summarise the calls as JSON: counts by endpoint and status, and each listing's parameters."""
    calls = simulator.calls
    by_endpoint: dict[str, dict[str, int]] = {}
    for call in calls:
        statuses = by_endpoint.setdefault(call.endpoint, {})
        statuses[str(call.status)] = statuses.get(str(call.status), 0) + 1
    return {
        "total": len(calls),
        "byEndpoint": by_endpoint,
        "entriesInStore": len(simulator.store),
        "listings": [
            {
                **call.query,
                "status": call.status,
                "entries": call.entries,
                "faults": list(call.faults),
            }
            for call in calls
            if call.endpoint == "listing"
        ],
    }


@contextmanager
def running(simulator: Simulator, *, host: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """Serve in a thread and yield the base URL; port 0 picks a free port.

    `OSError` if another process uses the port. On leaving, unfinished responses get a second.
    """
    # asyncio turns Nagle's algorithm off only if the socket names its protocol: 40 ms a response.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        config = uvicorn.Config(
            application(simulator),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="simulator")
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            if not server.started:
                raise RuntimeError("the simulator's server did not start")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _CutOff(Response):
    """Promises the whole body, but hangs up after half of it."""

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI's signature
        receive: Receive,  # noqa: ARG002 - as above
        send: Send,
    ) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def _response(answer: ApiAnswer) -> Response:
    kind = _CutOff if answer.cut_off else Response
    return kind(answer.content, status_code=answer.status, headers=dict(answer.headers))
