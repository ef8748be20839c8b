"""A verification's report stays readable, however much is lost."""

from datetime import timedelta

from tests.support.verifications import (
    exported,
    verified,
)


def test_a_report_of_a_ruin_is_no_larger_than_one_can_read() -> None:
    world = exported(3000, slice_target=2, slice_floor=timedelta(minutes=15))
    for key in [key for key in world.lake.objects if key.startswith("entries/")]:
        del world.lake.objects[key]
    report = verified(world)
    assert len(report["damages"]) == 500
    assert report["differences"] > 500
