"""Checks the API's filter at first contact, once a day, and after a change of its time zone."""

from dataclasses import dataclass, replace
from datetime import datetime

from cpd_exporter.errors import FilterError, PausedError
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.watermark import FilterWarning, Watermark
from cpd_exporter.planner.filter_samples import sample_places
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.ports import Clock, EntriesApi, HasTimeLeft, NewToken, PlannerTimeline
from cpd_exporter.source.filter_check import FilterCheck, check_filter
from cpd_exporter.source.filter_zone import explain


@dataclass(frozen=True, slots=True)
class FilterChecker:
    """Stores in the watermark what each check shows. It takes no longer than ``has_time_left``."""

    api: EntriesApi
    timeline: PlannerTimeline
    clock: Clock
    limits: PlannerLimits
    has_time_left: HasTimeLeft
    new_token: NewToken

    def check(self, watermark: Watermark) -> None:
        """Check the filter if that is due.

        A sample that contradicts the filter raises ``FilterError``, and so do all next ticks until
        the filter finds one.
        A sample that cannot be had is a warning.
        """
        now = self.clock()
        if not self._is_due(watermark, now):
            return
        if not self.has_time_left():
            raise PausedError("the filter is checked by the next tick")
        # The filter may not list younger entries yet.
        until = now - self.limits.slice_policy.settle
        places = sample_places(self.timeline, watermark, until)
        check = check_filter(self.api, places, until=until, has_time_left=self.has_time_left)
        if check.contradicting and (warning := self._contradiction(watermark, check, now)):
            self.timeline.update_watermark(watermark, replace(watermark, filter_warning=warning))
            raise FilterError(warning.message)
        last = watermark.filter_warning
        if last and last.contradicts and not check.is_complete:
            # An API that lists no sample any more does not show that its filter works now.
            raise FilterError(last.message)
        text = check.warning
        if text is None and not check.is_complete and watermark.filter_checked_at:
            text = "the API lists no entry any more by which its filter could be checked"
        checked = replace(watermark, filter_warning=FilterWarning(now, text) if text else None)
        if check.is_complete:
            zone = str(self.limits.filter_time_zone)
            checked = replace(checked, filter_checked_at=now, filter_time_zone=zone)
            self._request_sweep(watermark, zone)
        if checked != watermark:
            self.timeline.update_watermark(watermark, checked)

    def _request_sweep(self, watermark: Watermark, zone: str) -> None:
        """Sweep everything if workers may have asked a filter that contradicts, or in another zone.

        Such a filter lists nothing where the other time is quiet: pages ended without their
        entries.
        """
        warning = watermark.filter_warning
        contradicted = warning is not None and warning.contradicts
        start, end = watermark.exported_from, watermark.exported_through
        if start < end and (contradicted or watermark.filter_time_zone not in {None, zone}):
            name = f"sweep:filter:{format_instant(start)}/{format_instant(end)}"
            now, token = self.clock(), self.new_token()
            self.timeline.add_job(Job(name, JobKind.SWEEP, start, end, start, now, token))

    def _is_due(self, watermark: Watermark, now: datetime) -> bool:
        limits, warning = self.limits, watermark.filter_warning
        is_same_zone = watermark.filter_time_zone == str(limits.filter_time_zone)
        checked_at = watermark.filter_checked_at if is_same_zone else None
        if warning is not None and warning.contradicts:
            return True
        if checked_at and now < checked_at + limits.filter_check_interval:
            return False
        return warning is None or now >= warning.at + limits.filter_retry_interval

    def _contradiction(
        self, watermark: Watermark, check: FilterCheck, now: datetime
    ) -> FilterWarning | None:
        """Explain a contradiction; the costly explanation is kept for a while.

        ``None``: one record alone contradicts, and no time zone would explain it.
        """
        last = watermark.filter_warning
        if last and last.contradicts and now < last.at + self.limits.filter_retry_interval:
            return last
        found = explain(self.api, check, self.limits.filter_time_zone, self.has_time_left)
        if check.is_odd and found.is_ruled_out:
            return None
        return FilterWarning(now, found.text, contradicts=True)
