"""An API that answers from a script, and one with many entries within one second."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from cpd_exporter.errors import LookUpError
from cpd_exporter.model.entry import Entry, FaultyEntry, Found, Listing, read_entry, read_listing
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.window import Window
from cpd_exporter.source.window_reader import Overflow, Reading, Unfinished, read_window
from simulator.behaviour import Behaviour
from simulator.simulator import Simulator
from simulator.source import EntryStore
from tests.support.samples import START, window

MS = timedelta(milliseconds=1)


NOW = START + timedelta(days=1)


HOUR = window(3600)


class ScriptedApi:
    """Gives the answers in turn, the last one for ever; ``queries`` is every query.

    ``held`` is what it answers for an entry by its ID.
    """

    def __init__(self, *answers: bytes, held: Iterable[str] = ()) -> None:
        self.answers = list(answers)
        self.queries: list[tuple[Window | None, int, int]] = []
        self.held = list(held)
        self.may_ask = True
        self.notice: str | None = None

    @property
    def calls(self) -> int:
        return len(self.queries)

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        self.queries.append((window, page, per_page))
        return read_listing(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        found = (read_entry(one.encode()) for one in self.held)
        return next((one for one in found if one.id == entry_id), None)

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        return {entry_id: self.entry(entry_id) for entry_id in entry_ids}

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        raise AssertionError("no listing is read from sums")


def read(api: ScriptedApi, *, may_split: bool = True) -> Reading | Overflow:
    answer = read_window(api, HOUR, may_split=may_split)
    assert not isinstance(answer, Unfinished)
    return answer


def simulated(entries: int, **switches: object) -> Simulator:
    """Many entries within one second."""
    simulator = Simulator(EntryStore(), clock=lambda: NOW)
    for _ in range(entries):
        simulator.insert(START + 250 * MS)
    simulator.behaviour = Behaviour.model_validate(switches)
    return simulator
