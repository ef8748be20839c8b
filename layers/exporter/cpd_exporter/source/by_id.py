"""Entries by their IDs, each checked against the ID that was asked for."""

from collections.abc import Sequence

from cpd_exporter.errors import (
    LookUpError,
    MalformedResponseError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model.entry import Found
from cpd_exporter.ports import EntriesApi


def find_by_id(
    api: EntriesApi, entry_ids: Sequence[str]
) -> tuple[dict[str, Found], dict[str, LookUpError]]:
    """The entries by ID, and the errors of those over which the API fails.

    The answer of another entry is such an error: it would count as this one's version.
    """
    found: dict[str, Found] = {}
    failed: dict[str, LookUpError] = {}
    for id_, answer in api.entries(entry_ids).items():
        if isinstance(answer, PermanentError | TransientError):
            failed[id_] = answer
        elif answer is not None and answer.id not in (id_, None):
            failed[id_] = MalformedResponseError(f"GET by ID {id_} answered another entry")
        else:
            found[id_] = answer
    return found, failed
