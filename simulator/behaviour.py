"""The switches: behaviour that the documentation leaves open, and failures.

The defaults are the documented behaviour, with "after" and "before" read as exclusive bounds.
"""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Endpoint = Literal["listing", "entry", "summaries", "token"]
Precision = Literal["millisecond", "second"]
Order = Literal["ascending", "descending"]
Shuffle = Literal["none", "ties", "all"]
ShuffleBy = Literal["request", "per-page", "page"]
ClientCredentialsIn = Literal["basic", "body", "both"]
RepeatedHour = Literal["first", "second"]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not the name of an IANA time zone") from None
    return name


class _Rule(BaseModel):
    """When something happens; the simulator counts requests since its behaviour last changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: PositiveInt = 1
    after: NonNegativeInt = 0
    times: PositiveInt | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule as the command line gives it: JSON, or `kind,key=value,…`.

        A bare number is a fault's status: `429,every=5,retry_after=2`.
        """
        if text.lstrip().startswith("{"):
            return cls.model_validate_json(text)
        kind, *settings = text.split(",")
        fields = dict(setting.strip().partition("=")[::2] for setting in settings)
        if kind.isdigit():
            return cls.model_validate({"kind": "status", "status": kind, **fields})
        return cls.model_validate({"kind": kind, **fields})

    def is_turn(self, count: int) -> bool:
        """Whether this rule applies to the `count`th request, counted from 1."""
        return count > self.after and (count - self.after) % self.every == 0


class InjectedFault(_Rule):
    """One kind of wrong answer, and when it happens.

    `status` refuses; `slow` waits `seconds`; `cut-off` ends the connection in mid-body; `truncated`
    is half the JSON in a whole response; `html` is a page with status 200; `raw` is `body`;
    `ignore-filter` lists entries of any date; `nothing` finds nothing; `repeat` lists one
    entry twice; `repeat-edited` does so with another description the second time.
    """

    kind: Literal[
        "status",
        "slow",
        "cut-off",
        "truncated",
        "html",
        "raw",
        "ignore-filter",
        "nothing",
        "repeat",
        "repeat-edited",
    ] = "status"
    on: Endpoint | Literal["any"] = "listing"
    probability: float = Field(default=1.0, gt=0, le=1)
    status: int = Field(default=500, ge=300, le=599)
    html: bool = False
    retry_after: NonNegativeInt | None = None
    retry_after_as_date: bool = False
    location: str | None = None
    seconds: float = Field(default=0.0, ge=0)
    body: str = ""


class ScheduledChange(_Rule):
    """A change that the service's users make between one listing and the next.

    `insert` adds an entry dated now. The others happen within the dates of the last query:
    `back-date` adds an entry there, `edit` changes a description, `delete` removes an entry, `move`
    gives one a date anywhere in the data.
    """

    kind: Literal["insert", "back-date", "edit", "delete", "move"]
    count: PositiveInt = 1


class Behaviour(BaseModel):
    """All switches. Immutable: to change one, give the simulator another `Behaviour`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_inclusive: bool = Field(default=False, description="entryDateFrom itself is in")
    to_inclusive: bool = Field(default=False, description="entryDateTo itself is in")
    precision: Precision = Field(
        default="millisecond",
        description="dates are compared (and tie) as they are, or truncated to the second",
    )
    filter_offset_seconds: int = Field(
        default=0, description="the filter's time zone, east of UTC; entries stay in UTC"
    )

    filter_time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC",
        description="the IANA time zone, with its summer time, in which the filter reads dates; "
        "the offset adds to it",
    )
    filter_repeated_hour: RepeatedHour = Field(
        default="first", description="how a date is read that the zone's clock shows twice"
    )

    order: Order = Field(default="ascending", description="by date")
    shuffle: Shuffle = Field(
        default="none", description="what is in no order: nothing, equal dates, or everything"
    )
    shuffle_by: ShuffleBy = Field(
        default="request",
        description="shuffled anew for every request, or repeatably by perPage, or by page and "
        "perPage (each page then from an order of its own)",
    )

    per_page_cap: PositiveInt | None = Field(
        default=None, description="largest page, whatever was asked for; pagination.perPage says so"
    )
    totals_factor: float = Field(default=1.0, ge=0, description="totalResults times this")
    totals_extra: int = Field(default=0, description="totalResults plus this")

    token_lifetime_seconds: PositiveInt = Field(default=3600, description="of an access token")
    client_credentials_in: ClientCredentialsIn = Field(
        default="both", description="where the token endpoint wants the client's ID and secret"
    )
    invalid_client_status: Literal[400, 401] = Field(
        default=401, description="status of the token endpoint's invalid_client"
    )
    scopes: frozenset[str] = Field(
        default=frozenset({"api/all", "api/read", "api/write", "api/webhooks"}),
        description="what the client may ask for",
    )

    clock_skew_seconds: float = Field(default=0.0, description="the service's clock is this ahead")

    faults: tuple[InjectedFault, ...] = ()
    changes: tuple[ScheduledChange, ...] = ()
