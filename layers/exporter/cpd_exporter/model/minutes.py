"""The API's own sums: the minutes that each user logged in a period."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cpd_exporter.errors import MalformedResponseError


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Pagination(_Checked):
    total: int = Field(alias="totalResults", ge=0)
    per_page: int = Field(alias="perPage", ge=1)


class _SummaryRecord(_Checked):
    user_id: str = Field(alias="userId", min_length=1)
    minutes: int = Field(alias="durationMinutes")


class _SummariesBody(_Checked):
    pagination: _Pagination
    results: list[_SummaryRecord]


@dataclass(frozen=True, slots=True)
class Summaries:
    """One response: pairs of user ID and minutes, in the API's order."""

    records: tuple[tuple[str, int], ...]
    total: int
    per_page: int


def read_summaries(body: bytes) -> Summaries:
    """Read the body of a response; raises ``MalformedResponseError`` for anything else."""
    try:
        read = _SummariesBody.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the body"
        raise MalformedResponseError(
            f"the API's summaries are not what it documents: {where}: {fault['msg']}. "
            "Is the API URL right?"
        ) from None
    return Summaries(
        tuple((summary.user_id, summary.minutes) for summary in read.results),
        total=read.pagination.total,
        per_page=read.pagination.per_page,
    )
