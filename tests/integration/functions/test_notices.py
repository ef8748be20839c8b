"""What the API says of its own end reaches `status` and a metric."""

import pytest

from cpd_exporter.errors import WithdrawnError
from simulator import Behaviour, InjectedFault
from tests.support.deployment import Deployment, LambdaContext, sample


def status(stack: Deployment) -> dict[str, object]:
    [tenant] = stack.planner(sample("planner-status"))["tenants"]
    return dict(tenant)


@pytest.mark.parametrize("code", [404, 410])
def test_a_listing_that_is_gone_is_noticed_and_makes_no_hole(stack: Deployment, code: int) -> None:
    stack.planner(sample("planner-export"))
    assert status(stack)["apiNotice"] is None
    assert "ApiWarnings" not in stack.metrics()
    stack.simulator.behave(faults=(InjectedFault(status=code),))
    for minutes in range(0, 60, 10):
        stack.later(minutes=minutes)
        answer = stack.planner(sample("planner-export"))
        stack.work_off()
    assert answer["error"]["type"] == WithdrawnError.__name__
    assert stack.metrics()["ApiWarnings"] == 1
    stack.logged("ERROR")
    assert f"answered {code}: this version" in str(status(stack)["apiNotice"])
    assert status(stack)["holes"] == []
    stack.simulator.behaviour = Behaviour()
    stack.later(minutes=70)
    stack.run(sample("planner-export"))
    assert status(stack)["apiNotice"] is None
    stack.assert_exact()


def test_the_planner_keeps_to_its_half_of_the_calls(stack: Deployment) -> None:
    stack.say(API_CALLS_PER_MINUTE="20", FIRST_DATE="2020-01-01")
    stack.simulator.forget_calls()
    [first] = stack.planner(sample("planner-export"))["tenants"]
    assert 5 <= stack.simulator.count() <= 10
    assert first["planned"] >= 1
    assert "TickFailed" not in stack.metrics()
    stack.simulator.forget_calls()
    stack.say(API_CALLS_PER_MINUTE="0")
    stack.planner(sample("planner-export"))
    assert stack.simulator.count() > 60


def test_a_tick_without_a_call_left_is_no_failure_and_no_warning(stack: Deployment) -> None:
    stack.say(API_CALLS_PER_MINUTE="20")
    planner = stack.load("planner")
    for command in ("planner-export", "planner-backfill", "planner-export"):
        planner.handler(sample(command), LambdaContext())
    stack.later(days=2)
    stack.simulator.forget_calls()
    [answer] = planner.handler(sample("planner-export"), LambdaContext())["tenants"]
    assert stack.simulator.count() == 0
    assert answer["filterWarning"] is None
    assert "TickFailed" not in stack.metrics()
