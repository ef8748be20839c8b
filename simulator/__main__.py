"""The simulated service as a process of its own: `python -m simulator --help`."""

import json
import signal
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from simulator.access import Credentials
from simulator.behaviour import (
    Behaviour,
    ClientCredentialsIn,
    InjectedFault,
    Order,
    Precision,
    RepeatedHour,
    ScheduledChange,
    Shuffle,
    ShuffleBy,
)
from simulator.entry_writer import Profile, seeded
from simulator.server import LOOPBACK, running
from simulator.simulator import Simulator, utc_now

DEFAULTS = Behaviour()
ACCEPTED = Credentials()


def _switch(name: str) -> Any:
    return typer.Option(help=Behaviour.model_fields[name].description)


def main(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 0,
    host: str = LOOPBACK,
    entries: Annotated[int, typer.Option(help="how many entries there are")] = 5000,
    seed: Annotated[int, typer.Option(help="decides the data and all chance")] = 1,
    now: Annotated[
        str, typer.Option(help="the data ends a day before this (RFC 3339); default: the clock")
    ] = "",
    days: Annotated[int, typer.Option(help="how many days the data spans")] = 548,
    burst: Annotated[int, typer.Option(help="entries that share one second")] = 0,
    faulty: Annotated[int, typer.Option(help="entries that cannot be understood")] = 0,
    extras: Annotated[
        float, typer.Option(min=0, max=1, help="the share of entries with undocumented members")
    ] = 0,
    tenant_id: str = ACCEPTED.tenant_id,
    api_secret: Annotated[str, typer.Option(envvar="CPD_API_SECRET")] = ACCEPTED.api_secret,
    client_id: Annotated[str, typer.Option(envvar="CPD_CLIENT_ID")] = ACCEPTED.client_id,
    client_secret: Annotated[
        str, typer.Option(envvar="CPD_CLIENT_SECRET")
    ] = ACCEPTED.client_secret,
    from_inclusive: Annotated[bool, _switch("from_inclusive")] = DEFAULTS.from_inclusive,
    to_inclusive: Annotated[bool, _switch("to_inclusive")] = DEFAULTS.to_inclusive,
    precision: Annotated[Precision, _switch("precision")] = DEFAULTS.precision,
    filter_offset_seconds: Annotated[
        int, _switch("filter_offset_seconds")
    ] = DEFAULTS.filter_offset_seconds,
    filter_time_zone: Annotated[str, _switch("filter_time_zone")] = DEFAULTS.filter_time_zone,
    filter_repeated_hour: Annotated[
        RepeatedHour, _switch("filter_repeated_hour")
    ] = DEFAULTS.filter_repeated_hour,
    order: Annotated[Order, _switch("order")] = DEFAULTS.order,
    shuffle: Annotated[Shuffle, _switch("shuffle")] = DEFAULTS.shuffle,
    shuffle_by: Annotated[ShuffleBy, _switch("shuffle_by")] = DEFAULTS.shuffle_by,
    per_page_cap: Annotated[int | None, _switch("per_page_cap")] = DEFAULTS.per_page_cap,
    totals_factor: Annotated[float, _switch("totals_factor")] = DEFAULTS.totals_factor,
    totals_extra: Annotated[int, _switch("totals_extra")] = DEFAULTS.totals_extra,
    token_lifetime_seconds: Annotated[
        int, _switch("token_lifetime_seconds")
    ] = DEFAULTS.token_lifetime_seconds,
    client_credentials_in: Annotated[
        ClientCredentialsIn, _switch("client_credentials_in")
    ] = DEFAULTS.client_credentials_in,
    invalid_client_status: Annotated[
        int, _switch("invalid_client_status")
    ] = DEFAULTS.invalid_client_status,
    scopes: Annotated[str, _switch("scopes")] = " ".join(sorted(DEFAULTS.scopes)),
    clock_skew_seconds: Annotated[
        float, _switch("clock_skew_seconds")
    ] = DEFAULTS.clock_skew_seconds,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="repeatable: 429,every=5,retry_after=2 · slow,seconds=3,times=1 · …"),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="repeatable: insert,every=3 · back-date · edit · delete,count=2 · move"),
    ] = None,
) -> None:
    """Serve until interrupted; print one line of JSON when ready."""
    try:
        behaviour = Behaviour.model_validate(
            {
                "from_inclusive": from_inclusive,
                "to_inclusive": to_inclusive,
                "precision": precision,
                "filter_offset_seconds": filter_offset_seconds,
                "filter_time_zone": filter_time_zone,
                "filter_repeated_hour": filter_repeated_hour,
                "order": order,
                "shuffle": shuffle,
                "shuffle_by": shuffle_by,
                "per_page_cap": per_page_cap,
                "totals_factor": totals_factor,
                "totals_extra": totals_extra,
                "token_lifetime_seconds": token_lifetime_seconds,
                "client_credentials_in": client_credentials_in,
                "invalid_client_status": invalid_client_status,
                "scopes": scopes.split(),
                "clock_skew_seconds": clock_skew_seconds,
                "faults": [InjectedFault.parse(text) for text in fault or ()],
                "changes": [ScheduledChange.parse(text) for text in change or ()],
            }
        )
        end = (_moment(now) if now else utc_now()) - timedelta(days=1)
        first = end - timedelta(days=days)
        profile = Profile(
            first=first,
            end=end,
            entries=entries,
            seed=seed,
            burst=burst,
            faulty=faulty,
            extras=extras,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise typer.BadParameter(f"{where}: {problem['msg']}") from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

    simulator = Simulator(
        seeded(profile),
        behaviour,
        credentials=Credentials(tenant_id, api_secret, client_id, client_secret),
        seed=seed,
    )
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(simulator, host=host, port=port) as url:
            ready = {"ready": True, "url": url, "tenantId": tenant_id, "entries": entries}
            print(json.dumps(ready), flush=True)
            stop.wait()
    except OSError as error:
        typer.echo(f"Cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no time zone: append Z for UTC")
    return moment.astimezone(UTC)


if __name__ == "__main__":
    typer.run(main)
