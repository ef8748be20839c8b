"""The worker: a message in, one piece of work done or moved on, whatever became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cpd_exporter.claiming import Claim, Outcome, SupersededError, Tools, WorkReport
from cpd_exporter.errands import run_errand
from cpd_exporter.errors import (
    ConfigurationError,
    MalformedInputError,
    PermanentError,
    TransientError,
)
from cpd_exporter.exporting import export_page, give_up_page
from cpd_exporter.model.messages import ErrandWork, Message
from cpd_exporter.model.timeline import Kind, Page, State
from cpd_exporter.sweeping import give_up_sweep, sweep_pages


@dataclass(frozen=True, slots=True)
class Worker(Tools):
    """The worker of one tenant."""

    def work(self, work: Message, *, may_go_on: Callable[[], bool] = lambda: True) -> WorkReport:
        """Do one piece of work, as far as it is not done; an errand for as long as ``may_go_on``.

        Raises ``TransientError`` and ``ConfigurationError`` (the same message is to come again,
        and the attempt does not count), ``PermanentError`` (to come again, and it counts) and
        ``MalformedInputError`` (never to come again).
        """
        if work.tenant_id != self.timeline.tenant_id:
            raise MalformedInputError(
                f"the message is for tenant {work.tenant_id}, but this stack exports "
                f"{self.timeline.tenant_id}: was the secret changed, or the queue shared?"
            )
        if isinstance(work, ErrandWork):
            return run_errand(self, work.name, may_go_on)
        page = self.timeline.page(work.start, work.kind)
        if page is None or not work.names(page) or page.state is State.DONE:
            return WorkReport(Outcome.GONE)
        if page.lease_until is not None and page.lease_until > self.clock():
            return WorkReport(Outcome.HELD)
        # Had the last attempt told how it ended, the page would be a hole, and its lease over.
        told = page.hole_since is not None and page.lease_until is None
        silent = page.attempts >= self.effort.attempts and not told
        try:
            return self._work_on(self._claim(page, silent=silent), work.hop, silent=silent)
        except SupersededError:
            return WorkReport(Outcome.SUPERSEDED)

    def _claim(self, page: Page, *, silent: bool = False) -> Claim:
        """Take the page. The attempt counts from here, so that one which kills its worker counts
        too; after the last one the page is a hole, before anything else is tried that may kill.
        """
        claim = Claim(page, self)
        now = self.clock()
        changes: dict[str, Any] = {}
        if silent:
            error = f"{page.attempts} workers ended without a word: out of time or of memory?"
            changes = {"hole_since": page.hole_since or now, "error": error}
        claim.move(attempts=page.attempts + 1, lease_until=now + self.effort.lease, **changes)
        return claim

    def _work_on(self, claim: Claim, hop: int, *, silent: bool) -> WorkReport:
        try:
            if silent:
                raise PermanentError(claim.page.error)
            if claim.page.kind is Kind.SWEEP:
                return sweep_pages(claim)
            return export_page(claim, hop=hop)
        except (TransientError, ConfigurationError) as error:
            claim.move(attempts=claim.page.attempts - 1, lease_until=None, error=str(error))
            raise
        except PermanentError as error:
            if claim.page.attempts < self.effort.attempts:
                claim.move(lease_until=None, error=str(error))
                raise
            if claim.page.kind is Kind.SWEEP:
                return give_up_sweep(claim, error)
            return give_up_page(claim, error, hop=hop)
