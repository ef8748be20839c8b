"""Where samples come from: recent time, known pages and both seasons, in bounded windows."""

from datetime import UTC, datetime

from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from cpd_exporter.planner.filter_samples import sample_places
from tests.support.filters import DAY, HOUR, exported_until, next_day
from tests.support.world import World

SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC)


def places(world: World) -> list[list[Window | None]]:
    watermark = world.timeline.watermark()
    assert watermark is not None
    return sample_places(world.timeline, watermark, world.now)


def test_recent_samples_come_from_the_last_hour_and_day_and_the_newest_entries() -> None:
    world = exported_until(SUMMER)
    recent, summer, winter = places(world)
    assert recent[:2] == [Window(SUMMER - HOUR, SUMMER), Window(SUMMER - DAY, SUMMER)]
    assert recent[-1] is None  # only where no window lists anything
    newest = datetime.fromtimestamp(max(entry.at_ms for entry in world.store) / 1000, UTC)
    for place in (recent[2], summer[0]):
        assert place is not None
        assert newest in place
    assert None not in summer + winter
    assert {place.start.month for place in winter if place} <= {12, 1, 2}


def test_before_anything_is_known_the_seasons_are_this_years_and_last_years() -> None:
    world = World()
    world.now = SUMMER
    world.planner.tick()
    _, summer, winter = places(world)
    assert summer == [
        Window(datetime(2026, 5, 1, tzinfo=UTC), SUMMER),
        Window(datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)),
    ]
    assert winter == [
        Window(datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        Window(datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)),
    ]


def test_once_entries_are_known_nothing_is_listed_without_a_filter() -> None:
    world = exported_until(SUMMER)
    query = world.api.query
    asked: list[Window | None] = []

    def noting(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        asked.append(window)
        return query(window, page=page, per_page=per_page)

    world.api.query = noting  # type: ignore[method-assign]
    assert next_day(world).error is None
    assert asked
    assert None not in asked
