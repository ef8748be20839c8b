"""A lake in a dictionary."""

from collections.abc import Callable
from datetime import UTC, datetime


class FakeLake:
    """``objects`` is all that was written once and not removed, by key."""

    def __init__(
        self, bucket: str = "lake", *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.bucket = bucket
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.written_at: dict[str, datetime] = {}
        self.progress: bytes | None = None

    def put_new(self, key: str, body: bytes) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = body
        self.written_at[key] = self.clock().replace(microsecond=0)
        return True

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put_progress(self, body: bytes) -> None:
        self.progress = body

    def delete_index(self, key: str) -> None:
        if not key.startswith("index/"):
            raise ValueError(f"not an index: {key}")
        self.objects.pop(key, None)

    def entries_since(self, since: datetime) -> list[tuple[datetime, str]]:
        return [
            (at, key)
            for key, at in self.written_at.items()
            if key.startswith("entries/") and key in self.objects and at >= since
        ]

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"
