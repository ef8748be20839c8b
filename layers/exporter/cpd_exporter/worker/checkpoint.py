"""The progress of a dense page's reading, in the lake beside its rows until the page is done."""

from dataclasses import dataclass

from cpd_exporter.worker.attempt import PageClaim


@dataclass(frozen=True, slots=True)
class LakeCheckpoint:
    """Saves each progress under a key of its own; the page names the last one.

    A worker that slept while another took over fails to write the page, and stops.
    """

    claim: PageClaim

    @property
    def is_due(self) -> bool:
        return self.claim.is_save_due

    def has_time_left(self) -> bool:
        return self.claim.has_time_left()

    def load(self) -> bytes | None:
        key = self.claim.page.reading_key
        return None if key is None else self.claim.context.lake.read(key)

    def save(self, progress: bytes) -> None:
        context, page = self.claim.context, self.claim.page
        tenant_id = context.timeline.tenant_id
        key = f"readings/tenant={tenant_id}/{page.name}_{context.new_token()}.jsonl.gz"
        context.lake.put_new(key, progress)
        self.claim.progress(reading_key=key)

    def drop(self) -> None:
        if self.claim.page.reading_key is not None:
            self.claim.update(reading_key=None)
