"""Events that the topic refuses."""

from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.event import Event
from simulator.behaviour import InjectedFault
from tests.support.pages import attempt, done, planned

CANARY = "confidential reflection"


def test_a_refused_event_goes_out_as_a_reference_and_then_is_recorded() -> None:
    world, work = planned(20)
    first, second, *_ = (entry.log_entry_id for entry in world.store)

    def refuse(event: Event) -> str | None:
        whole = "entry" in json_text.load(event.body)["data"]
        if event.entry_id == first:
            return "too large" if whole else None
        return "policy" if event.entry_id == second else None

    world.topic.refuse = refuse
    assert world.worker.handle(work) == done(20)
    published = {event.entry_id: json_text.load(event.body) for event in world.topic.published}
    assert len(world.topic.published) == len(published) == 19
    assert "entry" not in published[first]["data"]
    assert second not in published
    [refusal] = world.timeline.refusals()
    assert (refusal.entry_id, refusal.error, refusal.window) == (second, "policy", work.window)


def test_no_failure_shows_what_an_entry_says() -> None:
    """Messages are logged, stored and shown."""
    world, work = planned(20)
    for entry in list(world.store):
        world.store.edit(entry.log_entry_id, description=CANARY, isVerified=CANARY)
    world.simulator.behave(
        faults=(InjectedFault(kind="ignore-filter"), InjectedFault(kind="repeat-edited"))
    )
    report = attempt(world, work)
    assert CANARY not in str(report)
    for key in world.quarantined:
        assert CANARY not in world.lake.objects[key].split(b"\n", 1)[0].decode()
    assert CANARY not in str(world.pages)
