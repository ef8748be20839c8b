"""Faults in what the planner does, and in how it slices time into pages."""

from tests.simulation.mutants.mutant import mutant

PLANNER_MUTANTS = (
    # ── the planner ──────────────────────────────────────────────────────────────────────────
    mutant(
        "watermark first",
        "what is planned will be exported soon enough",
        (
            "planner/planner.py",
            "if page.window.start != through or not page.watermark_may_pass:",
            "if page.window.start != through:",
        ),
    ),
    mutant(
        "a counter for done",
        "as many pages as are done, from the start",
        (
            "planner/planner.py",
            """                if page.window.start != through or not page.watermark_may_pass:
                    break
                through = page.window.end
""",
            """                if page.watermark_may_pass:
                    through += page.window.length
""",
        ),
    ),
    mutant(
        "no settling",
        "an entry is there as soon as it is dated",
        (
            "planner/page_planner.py",
            "horizon = floor_second(self.clock() - self.limits.slice_policy.settle)",
            "horizon = floor_second(self.clock())",
        ),
    ),
    mutant(
        "only the own clock",
        "clocks agree",
        ("planner/slicer.py", "if counted.served_at is not None:", "if False:"),
    ),
    mutant(
        "no check of the filter",
        "a filter filters",
        ("planner/planner.py", "checker.check(watermark)\n", "pass\n"),
    ),
    mutant(
        "months do not matter",
        "a page is a page",
        (
            "planner/slicer.py",
            """    if not window.within_one_month:
        raise ValueError(f"one answer is believed for no more than a month: {window}")
""",
            "",
        ),
        (
            "planner/page_planner.py",
            "in Window(watermark.planned_through, horizon).months():",
            "in [Window(watermark.planned_through, horizon)]:",
        ),
    ),
    mutant(
        "trusting totalResults: nothing there",
        "a total of zero is zero",
        (
            "source/counter.py",
            "return Count(max(listing.total, records), listing.served_at, has_record=records > 0)",
            "return Count(listing.total, listing.served_at, has_record=records > 0)",
        ),
    ),
    mutant(
        "what is sent arrives",
        "a queue does not lose messages",
        (
            "model/page.py",
            "return now > touched + resend_policy.in_queue",
            "return False",
        ),
    ),
    mutant(
        "every claim ends",
        "a worker does not die",
        (
            "model/page.py",
            "+ resend_policy.lease_grace\n        return now > touched",
            "+ 100 * resend_policy.max_hole_wait\n        return now > touched",
        ),
    ),
    mutant(
        "holes stay holes",
        "what failed so often will always fail",
        (
            "model/page.py",
            "return now > touched + resend_policy.after_failures(self.attempts)",
            "return False",
        ),
    ),
    mutant(
        "sent, whatever the queue took",
        "a batch succeeds or fails as a whole; and what is sent arrives",
        (
            "dispatch.py",
            "timeline.mark_sent([named[message] for message in accepted], clock())",
            "timeline.mark_sent(pages, clock())",
        ),
        (
            "model/page.py",
            "return now > touched + resend_policy.in_queue",
            "return False",
        ),
    ),
    mutant(
        "the watermark is set, not moved",
        "what I have seen is the latest",
        (
            "planner/planner.py",
            "update_watermark(watermark, replace(watermark, exported_through=through))",
            (
                "update_watermark("
                "self._read_or_create_watermark(), replace(watermark, exported_through=through))"
            ),
        ),
    ),
    # ── windows and pages ────────────────────────────────────────────────────────────────────
    mutant(
        "a window closed on both ends",
        "between means between",
        (
            "model/window.py",
            "return self.start <= instant < self.end",
            "return self.start <= instant <= self.end",
        ),
    ),
    mutant(
        "a window open on both ends",
        "after means after",
        (
            "model/window.py",
            "return self.start <= instant < self.end",
            "return self.start < instant < self.end",
        ),
    ),
    mutant(
        "windows with a gap between them",
        "a second more or less",
        (
            "model/window.py",
            "return [type(self)(start, end) for start, end in pairwise(bounds)]",
            "return [type(self)(a, max(a + SECOND, b - SECOND)) for a, b in pairwise(bounds)]",
        ),
    ),
    mutant(
        "one key for two generations",
        "start and end say it all",
        (
            "model/page.py",
            'return f"{start}_{end}_g{self.generation}_{self.timeline_id}"',
            'return f"{start}_{end}_g1_{self.timeline_id}"',
        ),
    ),
    mutant(
        "one key for two timelines",
        "a tenant has one timeline",
        (
            "model/page.py",
            'return f"{start}_{end}_g{self.generation}_{self.timeline_id}"',
            'return f"{start}_{end}_g{self.generation}_{0:016x}"',
        ),
    ),
    mutant(
        "parts of a hole are like any other page",
        "they are open, after all",
        ("model/page.py", "            hole_since=page.hole_since,\n", ""),
    ),
)
