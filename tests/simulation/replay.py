"""Run one trial again and print each point: ``python -m tests.simulation.replay random 17``."""

import sys

from tests.simulation import simulation
from tests.simulation.trials import read_trial


def main(arguments: list[str]) -> int:
    """Print every point of the trial, the state it ended in, and the verdict."""
    worlds: list[simulation.Simulation] = []
    simulation.Simulation.watchers.append(worlds.append)
    try:
        verdict = f"holds; at rest after {read_trial(' '.join(arguments)).run().ticks} ticks"
    except AssertionError as violation:
        verdict = str(violation)
    world = worlds[-1]
    lines = [f"{process:10} {call:22} {fate}" for process, call, fate in world.trace]
    lines += [
        str(world.scenario.behaviour.model_dump(exclude_defaults=True)),
        str(world.timeline.stored_watermark),
    ]
    lines += [
        str(page) for page in sorted(world.timeline.stored_pages.values(), key=lambda p: p.window)
    ]
    sys.stdout.write("\n".join([*lines, verdict, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
