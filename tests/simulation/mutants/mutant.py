"""A mutant: a deliberate fault in the core, as patches of its source text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    """``old``, which occurs exactly once in ``file``, becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """``why`` is what somebody might have thought. Those ``of_sweeps`` are put to sweeps first."""

    name: str
    why: str
    patches: tuple[Patch, ...]
    of_sweeps: bool = False


def mutant(name: str, why: str, *patches: tuple[str, str, str]) -> Mutant:
    return Mutant(name, why, tuple(Patch(*patch) for patch in patches))


def sweep_mutant(name: str, why: str, old: str, new: str, file: str) -> Mutant:
    return Mutant(name, why, (Patch(file, old, new),), of_sweeps=True)
