"""How many examples Hypothesis tries: few and always the same in `make test`, more in the proof."""

import os

from hypothesis import HealthCheck, settings

SCALE = "PROOF_SCALE"
"""The environment variable that says how many times as many."""


def examples(count: int, *, steps: int = 30) -> settings:
    return settings(
        max_examples=count * int(os.environ.get(SCALE, "1")),
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
