"""The daily comparison of the API's total with the entries that the timeline knows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReconciliationStep(StrEnum):
    """How far a comparison is: it sums the pages, then counts months if needed, then is done."""

    SUM = "sum"
    LOCATE = "locate"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One comparison over the time from the origin to ``through``, spread over ticks.

    Its step is done up to ``cursor``. The pages so far hold from ``least`` to ``most`` entries:
    faulty records may or may not be in the API's total. ``found`` is the difference of the months
    so far, ``sweeps`` counts the sweeps requested of them, and ``difference`` is that of the last
    comparison that looked for one. The totals differ since ``differs_since``.
    """

    begun_at: datetime
    through: datetime
    cursor: datetime
    step: ReconciliationStep = ReconciliationStep.SUM
    least: int = 0
    most: int = 0
    found: int = 0
    sweeps: int = 0
    difference: int = 0
    differs_since: datetime | None = None
