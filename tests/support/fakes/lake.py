"""A lake in a dictionary."""


class FakeLake:
    """``objects`` is all that was ever written and not removed, by key."""

    def __init__(self, bucket: str = "lake") -> None:
        self.bucket = bucket
        self.objects: dict[str, bytes] = {}

    def put_new(self, key: str, body: bytes) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = body
        return True

    def read(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def delete_index(self, key: str) -> None:
        if not key.startswith("index/"):
            raise ValueError(f"not an index: {key}")
        self.objects.pop(key, None)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"
