"""Splits a sweep that outgrew one response, or that holds a fault."""

from collections.abc import Iterator
from dataclasses import replace

from cpd_exporter.model.page import ConditionalWrite, Page, reserving, sweep_of
from cpd_exporter.model.page_index import PageIndex
from cpd_exporter.model.window import Window
from cpd_exporter.source.window_reader import Overflow
from cpd_exporter.source.window_splitter import split_window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.checkpoint import LakeCheckpoint
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.sweep.compare import SweepInput
from cpd_exporter.worker.sweep.day_limit import take_back_count
from cpd_exporter.worker.sweep.merge import write_indexes


def split_sweep(claim: PageClaim, before: SweepInput, overflow: Overflow) -> WorkReport:
    """Replace a sweep by two of half the pages, or by sweeps of parts of its one page."""
    if len(before.pages) > 1:
        halve_sweep(claim, before.pages)
    else:
        api, window = claim.context.api, claim.page.window
        split_page(claim, before, split_window(api, window, overflow, LakeCheckpoint(claim)))
    return WorkReport(Outcome.SPLIT)


def split_page(
    claim: PageClaim, before: SweepInput, parts: list[Window], *, attempts: int = 0
) -> None:
    """Split the sweep's one page into done pages, each with a sweep of its own."""
    take_back_count(claim)
    revision = claim.context.new_token()
    writes = list(_split_writes(claim, before, parts, revision=revision, attempts=attempts))
    claim.commit(writes)


def halve_sweep(claim: PageClaim, pages: list[Page], *, attempts: int = 0) -> None:
    """Replace the sweep by one of its first half of pages and one of its second."""
    take_back_count(claim)
    revision = claim.context.new_token()
    half = len(pages) // 2
    low, high = (
        replace(
            sweep_of(some, revision=revision),
            generation=claim.page.generation + 1,
            attempts=attempts,
        )
        for some in (pages[:half], pages[half:])
    )
    writes = [
        *reserving(pages[:half], low, revision=revision, instead_of=claim.page),
        *reserving(pages[half:], high, revision=revision),
    ]
    claim.commit(writes)


def _split_writes(
    claim: PageClaim, before: SweepInput, parts: list[Window], *, revision: str, attempts: int
) -> Iterator[ConditionalWrite]:
    """Writes for done pages, each with its share of the index, and for their sweeps.

    The first page keeps the entries that left.
    """
    context, sweep, page = claim.context, claim.page, before.pages[0]
    indexed_parts: list[tuple[Page, PageIndex]] = []
    for window in parts:
        is_first = window.start == page.window.start
        index = {
            id_: entry
            for id_, entry in before.index.items()
            if entry.date in window or (is_first and entry.date not in page.window)
        }
        missing = {id_: gone for id_, gone in page.missing.items() if id_ in index}
        part = replace(
            page,
            window=window,
            generation=sweep.generation,
            revision=revision,
            object=None,
            index_key=None,
            entries=len(index),
            quarantined=0,
            faults={},
            missing=missing,
            sent_at=None,
            counted=None,
        )
        indexed_parts.append((part, index))
    for part in write_indexes(context, before.pages, indexed_parts):
        part_sweep = replace(sweep_of([part], revision=revision), attempts=attempts)
        is_first = part.window.start == page.window.start
        reserved = replace(part, reserved_by=part_sweep.name)
        yield ConditionalWrite(page if is_first else None, reserved)
        yield ConditionalWrite(sweep if is_first else None, part_sweep)
