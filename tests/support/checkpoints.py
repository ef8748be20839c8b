"""A checkpoint without a lake."""

from dataclasses import dataclass, field


@dataclass
class MemoryCheckpoint:
    """Keeps the last progress; ``pages`` is how many offset pages a worker has time for."""

    pages: int
    saved: bytes | None = None
    saves: int = 0
    is_due: bool = False
    read: int = field(default=0, init=False)

    def has_time_left(self) -> bool:
        self.read += 1
        return self.read < self.pages

    def load(self) -> bytes | None:
        return self.saved

    def save(self, progress: bytes) -> None:
        self.saved, self.saves = progress, self.saves + 1

    def drop(self) -> None:
        self.saved = None
