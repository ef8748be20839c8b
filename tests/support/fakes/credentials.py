"""A secret in an attribute."""

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret


class FakeCredentials[Credentials: (ApiSecret, ClientSecret)]:
    """``current`` is what the secret holds; it is seen when read again. ``reads`` counts."""

    remedy = "mend the secret"

    def __init__(self, current: Credentials) -> None:
        self.current: Credentials = current
        self.reads = 0
        self._held: Credentials = current

    def read(self) -> Credentials:
        return self._held

    def read_again(self) -> Credentials:
        self.reads += 1
        self._held = self.current
        return self._held
