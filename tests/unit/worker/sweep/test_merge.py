"""Sweeps merge small pages into one and keep what they publish."""

from datetime import timedelta

from tests.support.sweeps import (
    exported,
    swept,
)


def test_nothing_changed_publishes_nothing_and_merges_pages() -> None:
    world = exported(150, slice_target=50)
    objects = {key for key in world.lake.objects if key.startswith("entries/")}
    published = len(world.topic.published)
    pages = len(world.pages)
    world.slice_target = 800
    assert swept(world) == []
    assert {key for key in world.lake.objects if key.startswith("entries/")} == objects
    assert len(world.topic.published) == published
    assert len(world.pages) < pages
    world.assert_exact()


def test_a_page_knows_when_it_was_swept() -> None:
    world = exported(60, full_sweep=timedelta(0))
    before = world.now
    swept(world)
    assert all(page.read_at and page.read_at > before for page in world.pages if page.entries)
