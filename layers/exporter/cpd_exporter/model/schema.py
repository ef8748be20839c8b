"""Commands and messages share a strict model and instants on whole seconds."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from cpd_exporter.model.timestamps import parse_instant


def _instant(value: Any) -> Any:
    """A whole second, since windows have no finer bounds."""
    if isinstance(value, str):
        value = parse_instant(value)
    if isinstance(value, datetime) and not value.microsecond:
        return value
    raise ValueError("not an RFC 3339 date and time on a whole second")


type Instant = Annotated[datetime, BeforeValidator(_instant)]


class StrictModel(BaseModel):
    """A frozen model with names in camel case. It refuses unknown members."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )


def faults_of(error: ValidationError) -> str:
    """All faults of the input in one line, without any of its values."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the message'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )
