"""Settings, read once from the environment variables that the template sets."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.model.timestamps import EARLIEST, SECOND, parse_instant

PREFIX = "CPD_"


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
    fingerprint_exclude: Annotated[frozenset[str], BeforeValidator(_names)] = frozenset()

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
                f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}"
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
