"""Settings, read once from the environment variables that the template sets."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.model.timestamps import EARLIEST, SECOND, parse_instant

PREFIX = "CPD_"

MIN_CALLS_PER_MINUTE = 10
"""With fewer, the planner's half does not suffice for a check of the filter."""

MIN_CALLS_OF_A_WORKER = 5
"""With fewer, a worker waits so long between two calls that its lease ends."""


def _first_date(value: Any) -> Any:
    """A date, or a date and time, as an instant on a whole second."""
    if not isinstance(value, str):
        return value
    if len(value) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    return parse_instant(value).replace(microsecond=0)


def _seconds(value: Any) -> Any:
    try:
        return timedelta(seconds=int(value)) if isinstance(value, str) else value
    except OverflowError:
        raise ValueError("more seconds than can be counted") from None


def _names(value: Any) -> Any:
    """Names between commas. An empty text has none."""
    if not isinstance(value, str):
        return value
    return frozenset(name.strip() for name in value.split(",") if name.strip())


def _zone(value: Any) -> Any:
    """A time zone of the IANA database, by its name."""
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not the name of an IANA time zone, such as Europe/London") from None


type _Seconds = Annotated[timedelta, BeforeValidator(_seconds)]


class Settings(BaseModel):
    """The settings of both functions. Durations are whole seconds."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    environment: Environment
    api_url: str = ""
    authentication: Authentication
    scope: Scope = Scope.READ
    token_audience: Audience = Audience.PUBLIC
    secret_arn: Annotated[str, Field(min_length=1)]
    timeline_table: Annotated[str, Field(min_length=1)]
    queue_url: Annotated[str, Field(min_length=1)]
    filter_time_zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("UTC")
    worker_timeout_seconds: Annotated[_Seconds, Field(ge=SECOND)]
    worker_concurrency: Annotated[int, Field(ge=1)]
    api_calls_per_minute: Annotated[int, Field(ge=0)] = 0
    fingerprint_exclude: Annotated[frozenset[str], BeforeValidator(_names)] = frozenset()

    @model_validator(mode="after")
    def _check_calls(self) -> Self:
        least = max(MIN_CALLS_PER_MINUTE, MIN_CALLS_OF_A_WORKER * self.worker_concurrency)
        if 0 < self.api_calls_per_minute < least:
            raise PydanticCustomError(
                "calls",
                "ApiCallsPerMinute is {given}, but {workers} workers need at least {least}: lower "
                "WorkerConcurrency, or allow more",
                {
                    "given": self.api_calls_per_minute,
                    "workers": self.worker_concurrency,
                    "least": least,
                },
            )
        return self

    @property
    def planner_calls_per_minute(self) -> int:
        """The planner's half of the calls; zero sets no limit. It makes them within one tick."""
        return self.api_calls_per_minute // 2

    @property
    def worker_calls_per_minute(self) -> int:
        """The half of all workers together; zero sets no limit."""
        return self.api_calls_per_minute - self.planner_calls_per_minute

    @property
    def seconds_between_calls(self) -> float:
        """How far apart the calls of one worker are."""
        calls = self.worker_calls_per_minute
        return 60 * self.worker_concurrency / calls if calls else 0.0

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read ``CPD_…`` variables. Raises ``ConfigurationError``, which names all wrong ones."""
        named = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        try:
            return cls.model_validate(named)
        except ValidationError as error:
            faults = "; ".join(
                ": ".join(
                    [*(f"{PREFIX}{str(name).upper()}" for name in fault["loc"]), fault["msg"]]
                )
                for fault in error.errors(include_url=False, include_input=False)
            )
            raise ConfigurationError(
                f"the function's environment is wrong: {faults}. Deploy the template's own "
                "parameters, or mend these variables"
            ) from None


class PlannerSettings(Settings):
    """The planner's own settings besides."""

    # Nobody logged anything before, and the API's date format has no room for early years.
    first_date: Annotated[datetime, BeforeValidator(_first_date), Field(ge=EARLIEST)]
    settle_seconds: Annotated[_Seconds, Field(ge=timedelta(0))]
    full_sweep_days: Annotated[int, Field(ge=0, le=3650)] = 30
    lake_bucket: Annotated[str, Field(min_length=1)]


class WorkerSettings(Settings):
    """The worker's own settings besides."""

    lake_bucket: Annotated[str, Field(min_length=1)]
    topic_arn: Annotated[str, Field(min_length=1)]
    deletion_delay_seconds: Annotated[_Seconds, Field(ge=timedelta(0))] = timedelta(hours=1)
    max_deletions_per_day: Annotated[int, Field(ge=0)] = 500
