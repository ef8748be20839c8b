"""The invariants of the design by name, and the error that reports a violation."""

from enum import Enum


class Invariant(Enum):
    """The invariants of docs/architecture.md by number, and two consequences of all of them."""

    TILES = "1: the timeline tiles"
    OUTBOX = "2: the plan is the outbox"
    STORED_FIRST = "3: stored before published"
    FROM_STORAGE = "4: published from storage"
    WRITE_ONCE = "5: write once, to a reserved key"
    PURE_EVENTS = "6: an event is a function of its stored row"
    DONE_IS_A_STATE = "7: done is a state of one item"
    WATERMARK = "8: the watermark moves only outward, over what is done or a hole"
    CLOCKS = "9: the watermark comes from clocks"
    INDEX_FROM_LAKE = "10: a page's index follows from the lake"
    NO_LEASE = "11: correctness never rests on a lease"
    KEPT = "12: what cannot be understood is kept"
    NEVER_UNDONE = "7: done is never undone"
    EXACT = "nothing lost, nothing twice"
    REST = "the system comes to rest"


class Violation(AssertionError):  # noqa: N818  # a verdict, not an error of the program's
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, message: str) -> None:
        super().__init__(f"invariant {invariant.value}: {message}")
        self.invariant = invariant


def check(invariant: Invariant, holds: object, message: str) -> None:
    if not holds:
        raise Violation(invariant, message)
