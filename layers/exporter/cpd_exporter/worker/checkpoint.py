"""The progress of a dense page's reading, in the lake beside its rows until the page is done."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cpd_exporter.worker.attempt import PageClaim


@dataclass(slots=True)
class LakeCheckpoint:
    """Saves each progress under a key of its own; the page names the last one.

    A worker that slept while another took over fails to write the page, and stops.
    """

    claim: PageClaim
    began_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.began_at = self.claim.context.clock()

    @property
    def is_due(self) -> bool:
        return self.claim.is_save_due

    def has_time_left(self) -> bool:
        return self.claim.has_time_left()

    def load(self) -> bytes | None:
        key = self.claim.page.reading_key
        if key is None or f"_{self._settings}_" not in key:
            return None
        return self.claim.context.lake.read(key)

    def save(self, progress: bytes) -> None:
        context, page = self.claim.context, self.claim.page
        name = f"{page.name}_{self._settings}_{context.new_token()}"
        key = f"readings/{name}.jsonl.gz"
        context.lake.put_new(key, progress)
        since = page.reading_since if page.reading_key else None
        self.claim.progress(reading_key=key, reading_since=since or self.began_at)

    def drop(self) -> None:
        if self.claim.page.reading_key is not None:
            self.claim.update(reading_key=None, reading_since=None)

    @property
    def _settings(self) -> str:
        """What the records depend on: under other settings, no worker goes on with a reading."""
        limits = self.claim.context.limits
        names = f"{sorted(limits.fingerprint_exclude)} {limits.filter_time_zone}"
        return hashlib.sha256(names.encode()).hexdigest()[:8]
