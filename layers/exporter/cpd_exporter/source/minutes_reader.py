"""The API's own sums of minutes, read as completely as the API allows."""

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.response import MAX_PER_PAGE
from cpd_exporter.source.union import Union, page_sizes

_MAX_READINGS = 10


def read_minutes_by_user(api: EntriesApi, window: Window) -> dict[str, int]:
    """Read the minutes that each user logged.

    A single response that comes twice alike is believed whatever its total says. Raises
    ``InconsistentListingError``.
    """
    union: Union[int] = Union()
    single: dict[str, int] | None = None
    for per_page in page_sizes(MAX_PER_PAGE, _MAX_READINGS):
        answers = _read(api, window, per_page)
        sums = [record for answer in answers for record in answer.records]
        minutes = dict(sums)
        totals = {answer.total for answer in answers}
        agrees = all(minutes[user] == sum_ for user, sum_ in sums)
        differs = any(union.members.get(user, sum_) != sum_ for user, sum_ in sums)
        if union.add(totals, minutes if agrees else {}, anew=differs) and agrees:
            return union.members
        if agrees and len(answers) == 1 and minutes == single:
            return minutes
        single = minutes if len(answers) == 1 else None
    raise InconsistentListingError(
        f"the API's sums for {window} contradict each other, {_MAX_READINGS} times running. "
        "Verify this range again later"
    )


def _read(api: EntriesApi, window: Window, per_page: int) -> list[Summaries]:
    """Read all responses of one reading. After a full response, one more follows."""
    answers = [api.summaries(window, per_page=per_page)]
    while len(answers[-1].records) >= answers[-1].per_page:
        answers.append(api.summaries(window, page=len(answers) + 1, per_page=per_page))
    return answers
