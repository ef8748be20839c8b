"""Events that the topic refuses for good."""

from dataclasses import dataclass
from datetime import datetime

from cpd_exporter.model.window import Window


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stored row whose event the topic refused for good, in full and as a reference."""

    window: Window
    entry_id: str
    error: str
    since: datetime
