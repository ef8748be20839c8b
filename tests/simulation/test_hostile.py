"""Whatever comes from outside: no surprise, no silent loss, and nothing of it in any message.

A canary is in every secret, description and faulty record; it must not turn up in the text of
a failure, nor in the traceback that a careless caller would print.
"""

import json
import re
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret, SecretsManagerCredentials
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import BasicAccess, ClientCredentialsAccess
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http
from cpd_exporter.bootstrap import build_worker
from cpd_exporter.errors import ConfigurationError, ExporterError, MalformedInputError
from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.command import read_command
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, read_listing
from cpd_exporter.model.event import event_for
from cpd_exporter.model.message import JobMessage, read_message
from cpd_exporter.model.options import Audience, Environment, Scope
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.row import decode, encode, quarantine
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.planner import Planner
from cpd_exporter.planner.slicer import SlicePolicy
from cpd_exporter.settings import PlannerSettings, WorkerSettings
from cpd_exporter.worker.context import WorkerLimits
from tests.simulation.examples import examples
from tests.support.fakes import FakeLake, FakeQueue, FakeReplayQueue, FakeTimeline, FakeTopic
from tests.support.fakes.credentials import FakeCredentials
from tests.support.samples import content_of, row_for

CANARY = "canary-7f3a"
TENANT = "eu-west-2_AbcdEfghI"
NOW = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)
ORIGIN = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)

quick = examples(75)
thorough = examples(40)


# ── what comes from outside ──────────────────────────────────────────────────────────────────────

# Numbers that Python does not write, put in where these texts stand.
_NUMBERS = {b'"5001 digits"': b"9" * 5001, b'"beyond all bounds"': b"1e999999999999999999"}

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from([name.decode().strip('"') for name in _NUMBERS]),
    st.sampled_from([CANARY, "", "\ud800", "\x00", "\u2028", "\ufeff", "2026-03-01T00:00:00.000Z"]),
)
# A fault names the member that is at fault, and a kind of message that is unheard of.
names = texts.filter(lambda text: CANARY not in text)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**4000), 1e308]),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
dates = st.one_of(
    st.integers(-7_200_000, 3_600_000).map(
        lambda ms: format_instant(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
    ),
    st.sampled_from(
        ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999-23:59", "2026-02-30T00:00:00Z", "now"]
    ),
)
healthy: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "logEntryId": st.one_of(st.text("0123456789abcdef", min_size=1, max_size=24), texts),
        "userId": st.just("u"),
        "activity": st.fixed_dictionaries({"type": texts, "name": texts}),
        "category": st.fixed_dictionaries({"categoryId": st.just("c"), "name": texts}),
        "entryDate": dates,
        "durationMinutes": st.integers(0, 500),
        "description": st.one_of(st.none(), st.just(f"I felt {CANARY}"), texts),
        "isVerified": st.booleans(),
    }
)


@st.composite
def records(draw: st.DrawFn) -> Any:
    """An entry, sound or with anything at all in some of its places; or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    entry = draw(healthy)
    for name in draw(st.lists(st.sampled_from([*sorted(entry), "extra", "change"]), max_size=2)):
        if draw(st.booleans()):
            entry[name] = draw(values)
        else:
            entry.pop(name, None)
    return entry


listings = st.builds(
    lambda results, total, per_page: {
        "pagination": {"totalResults": total, "totalPages": 1, "page": 1, "perPage": per_page},
        "results": results,
    },
    st.lists(records(), max_size=6),
    st.one_of(st.integers(0, 8), st.integers(0, 10**30)),
    st.integers(1, 1000),
)


def written(value: Any) -> bytes:
    """JSON and a little more, as careless services write it."""
    body = simplejson.dumps(value, allow_nan=True).encode("utf-8", "surrogatepass")
    for name, number in _NUMBERS.items():
        body = re.sub(name + b"(?!:)", number, body)
    return body


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A listing's bytes; in some of the cases cut off, altered, or something else altogether."""
    body = written(draw(listings))
    match draw(st.integers(0, 7)):
        case 0:
            return draw(st.binary(max_size=60))
        case 1:
            return body[: draw(st.integers(0, len(body)))]
        case 2:
            at = draw(st.integers(0, len(body)))
            return body[:at] + draw(st.binary(min_size=1, max_size=3)) + body[at + 1 :]
        case 3:
            return b"<html><body>" + CANARY.encode() + b"</body></html>"
        case _:
            return body


def assert_silent(error: BaseException) -> None:
    """Nothing of the canary, in the message or anywhere that a traceback would show."""
    shown = "".join(traceback.format_exception(error))
    assert CANARY not in shown


# ── listings ─────────────────────────────────────────────────────────────────────────────────────


@quick
@given(bodies())
def test_a_listing_is_read_or_refused_and_nothing_of_it_shown(body: bytes) -> None:
    try:
        listing = read_listing(body)
    except ExporterError as error:
        assert_silent(error)
        return
    for record in listing.records:
        if isinstance(record, FaultyEntry):
            assert CANARY not in record.fault


@quick
@given(listings)
def test_every_record_of_a_listing_is_an_entry_or_kept(listing: dict[str, Any]) -> None:
    body = written(listing)
    records_read = read_listing(body).records
    assert len(records_read) == len(listing["results"])
    entries = [record for record in records_read if isinstance(record, Entry)]
    faulty = [record for record in records_read if isinstance(record, FaultyEntry)]
    assert len(entries) + len(faulty) == len(records_read)
    for record in faulty:
        assert record.source in body
        key, kept = quarantine(TENANT, record)
        assert kept.endswith(b"\n" + record.source)
        assert CANARY not in key
    rows = [row_for(entry, exported_at=NOW) for entry in entries]
    assert decode(encode(rows)) == rows
    for row, entry in zip(rows, entries, strict=True):
        event = event_for(row, "key", "s3://lake/key")
        published = json_text.load(event.body)["data"]["entry"]
        assert json_text.canonical(published) == json_text.canonical(content_of(entry))


# ── commands, messages, settings, secrets ────────────────────────────────────────────────────────


@quick
@given(values)
def test_a_command_is_understood_or_refused(event: Any) -> None:
    try:
        read_command(event)
    except MalformedInputError as error:
        assert_silent(error)


@quick
@given(st.fixed_dictionaries({"command": values}, optional={CANARY: values, "tenantId": values}))
def test_a_command_with_anything_in_it_is_understood_or_refused(event: dict[str, Any]) -> None:
    with suppress(MalformedInputError):
        read_command(event)


@quick
@given(
    st.one_of(
        st.text().filter(lambda text: CANARY not in text),
        values.map(written).map(bytes.decode),
        st.fixed_dictionaries(
            {
                "kind": st.one_of(st.sampled_from(["page", "sweep", "job"]), names),
                "tenantId": st.one_of(st.just(TENANT), values),
                "start": st.one_of(dates, values),
                "end": st.one_of(dates, values),
                "generation": st.one_of(st.integers(1, 9), values),
            }
        )
        .map(written)
        .map(bytes.decode),
    )
)
def test_a_message_is_understood_or_refused(body: str) -> None:
    try:
        work = read_message(body)
    except MalformedInputError as error:
        assert_silent(error)
    else:
        assert isinstance(work, JobMessage) or work.window.length > timedelta(0)


@quick
@given(st.dictionaries(st.sampled_from(sorted(WorkerSettings.model_fields)), st.text()))
def test_a_function_s_environment_is_understood_or_refused(environment: dict[str, str]) -> None:
    variables = {f"CPD_{name.upper()}": value for name, value in environment.items()}
    for model in (WorkerSettings, PlannerSettings):
        with pytest.raises(ConfigurationError, match="CPD_"):
            model.read(variables)


@quick
@given(
    st.one_of(
        st.text().map(lambda text: text + CANARY),
        st.dictionaries(
            st.sampled_from(["tenantId", "apiSecret", "clientId", "clientSecret", "x"]),
            st.one_of(values, st.just(CANARY)),
        )
        .map(written)
        .map(bytes.decode),
    )
)
def test_a_secret_is_understood_or_refused_and_nothing_of_it_shown(text: str) -> None:
    class Client:
        def get_secret_value(self, **_: str) -> dict[str, str]:
            return {"SecretString": text}

    for model in cast("tuple[type[ApiSecret], ...]", (ApiSecret, ClientSecret)):
        try:
            held = SecretsManagerCredentials(cast(Any, Client()), "secret", model).read()
        except ConfigurationError as error:
            assert_silent(error)
        else:
            assert CANARY not in repr(held).replace(f"tenant_id='{CANARY}'", "").replace(
                f"client_id='{CANARY}'", ""
            )


# ── the whole, against an API that answers anything ──────────────────────────────────────────────

answers = st.one_of(
    st.tuples(st.just(200), bodies()),
    st.tuples(st.sampled_from([200, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503]), bodies()),
)


class HostileService:
    """Answers from a list, over and over, echoing the secret where it was refused."""

    def __init__(self, script: list[tuple[int, bytes]]) -> None:
        self.script = script
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        status, body = self.script[self.asked % len(self.script)]
        if request.url.path.startswith("/oauth2") and status == 200 and self.asked % 3:
            return httpx.Response(200, json={"access_token": CANARY, "expires_in": 60})
        if status == 401:
            body = request.headers.get("authorization", "").encode() + CANARY.encode()
        return httpx.Response(status, content=body, headers={"Retry-After": "0"})


def api_of(service: Callable[[httpx.Request], httpx.Response], *, oauth2: bool) -> ThriveApi:
    client = httpx.Client(transport=httpx.MockTransport(service))
    http = Http(client)
    hosts = endpoints(Environment.PRODUCTION, Audience.PUBLIC, api_url="https://api.example")
    held = {"tenantId": TENANT, "apiSecret": CANARY, "clientId": "c", "clientSecret": CANARY}
    access: Any = (
        ClientCredentialsAccess(
            FakeCredentials(ClientSecret.model_validate(held)),
            http,
            hosts,
            Scope.READ,
            clock=lambda: NOW,
        )
        if oauth2
        else BasicAccess(FakeCredentials(ApiSecret.model_validate(held)))
    )
    return ThriveApi(http, hosts, access, clock=lambda: NOW, sleep=lambda _: None)


@thorough
@given(st.lists(answers, min_size=1, max_size=6), st.booleans())
def test_an_export_from_an_api_that_answers_anything(  # one world, step by step
    script: list[tuple[int, bytes]], oauth2: bool
) -> None:
    """No surprise, nothing of it shown, and every row in the lake was in some answer."""
    api = api_of(HostileService(script), oauth2=oauth2)
    timeline, queue, lake, topic = FakeTimeline(TENANT), FakeQueue(), FakeLake(), FakeTopic()
    now = [NOW]
    new_token = map("{:016x}".format, range(10**6)).__next__
    second = timedelta(seconds=1)
    policies = ResendPolicy(in_queue=780 * second), SlicePolicy(settle=120 * second)
    limits = PlannerLimits(ORIGIN, *policies, max_outstanding_pages=5)

    def clock() -> datetime:
        return now[0]

    for _ in range(3):
        report = Planner(api, timeline, queue, clock, new_token, limits, lake).tick()
        if report.error is not None:
            assert_silent(report.error)
        worker = build_worker(
            api=api,
            timeline=timeline,
            lake=lake,
            topic=topic,
            replay_queue=FakeReplayQueue(),
            clock=clock,
            new_token=new_token,
            limits=WorkerLimits(120 * second),
        )
        for work in queue.messages[:6]:
            try:
                done = worker.handle(work)
            except ExporterError as error:
                assert_silent(error)
            else:
                if done.error is not None:
                    assert_silent(done.error)
        queue.messages.clear()
        now[0] += timedelta(minutes=15)
    assert CANARY not in repr([*timeline.stored_pages.values(), timeline.stored_watermark])
    seen = [record for _, body in script for record in _records(body)]
    ids = {record.id for record in seen}
    for key, body in lake.objects.items():
        assert CANARY not in key
        if key.startswith("entries/"):
            assert {row.entry_id for row in decode(body)} <= ids
    assert {event.entry_id for event in topic.published} <= ids


def _records(body: bytes) -> tuple[Entry | FaultyEntry, ...]:
    try:
        return read_listing(body).records
    except ExporterError:
        return ()


@quick
@given(st.integers(200, 599), st.binary(max_size=200), st.booleans())
def test_one_entry_asked_for_by_its_id_from_an_api_that_answers_anything(
    status: int, body: bytes, oauth2: bool
) -> None:
    try:
        answer = api_of(HostileService([(status, body)]), oauth2=oauth2).entry("an/entry?")
    except ExporterError as error:
        assert_silent(error)
    else:
        assert answer is None or isinstance(answer, Entry | FaultyEntry)


def test_the_canary_would_be_heard() -> None:
    with pytest.raises(AssertionError):
        assert_silent(ValueError(f"cannot read {CANARY}"))
    assert isinstance(read_listing(json.dumps(_plain()).encode()), Listing)


def _plain() -> dict[str, Any]:
    return {"pagination": {"totalResults": 0, "perPage": 1}, "results": []}
