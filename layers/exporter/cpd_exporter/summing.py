"""The API's sums of minutes, read as completely as they can be, whatever order they come in."""

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.summaries import Summaries
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.reading import MOST_PER_PAGE

_READINGS = 10


def minutes_by_user(api: EntriesApi, window: Window) -> dict[str, int]:
    """The minutes that each user logged: the union of complete readings with varying page sizes,
    until it is as large as an unchanging total. One response, twice the same, is believed whatever
    its total. Raises ``InconsistentListingError``.
    """
    union: dict[str, int] = {}
    total = -1
    single: dict[str, int] | None = None
    for reading in range(_READINGS):
        answers = _read(api, window, MOST_PER_PAGE - 61 * reading)
        read = [record for answer in answers for record in answer.records]
        minutes = dict(read)
        totals = {answer.total for answer in answers}
        agrees = all(minutes[user] == sum_ for user, sum_ in read)
        if totals != {total} or any(union.get(user, sum_) != sum_ for user, sum_ in read):
            union = {}
        union |= minutes if agrees else {}
        total = max(totals)
        if agrees and totals == {len(union)}:
            return union
        if agrees and len(answers) == 1 and minutes == single:
            return minutes
        single = minutes if len(answers) == 1 else None
    raise InconsistentListingError(
        f"the API's sums for {window} contradict each other, {_READINGS} times running"
    )


def _read(api: EntriesApi, window: Window, per_page: int) -> list[Summaries]:
    """All responses of one reading; a full one is never the last, whatever its total says."""
    answers = [api.summaries(window, per_page=per_page)]
    while len(answers[-1].records) >= answers[-1].per_page:
        answers.append(api.summaries(window, page=len(answers) + 1, per_page=per_page))
    return answers
