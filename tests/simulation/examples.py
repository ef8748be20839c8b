"""How many examples Hypothesis tries: few and fixed in `make test`, more in `make prove`."""

import os

from hypothesis import HealthCheck, settings

SCALE = "PROOF_SCALE"
"""The environment variable that multiplies the number of examples."""


def examples(count: int, *, steps: int = 30) -> settings:
    return settings(
        max_examples=count * int(os.environ.get(SCALE, "1")),
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
