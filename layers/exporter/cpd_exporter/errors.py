"""What can go wrong. The type says what happens next; the message says what, where and what to do.

No message holds a secret or the content of an entry: messages are logged, stored and shown.
"""


class ExporterError(Exception):
    """Base of every failure that the exporter expects and explains."""


class ConfigurationError(ExporterError):
    """The deployment lacks something that only its operator can give: nothing can start."""


class MalformedInputError(ExporterError):
    """A command or a message that cannot be understood: refused, never retried."""


class TransientError(ExporterError):
    """The world is not ready (429, 5xx, time-out, throttling): wait, then try the same again.

    It strikes all work alike, so it never counts against the page that met it.
    ``retry_after`` is in seconds, where the other side named a time.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessError(TransientError):
    """401 or 403: waited out like an outage, since an operator will mend it, but not hammered."""


class PermanentError(ExporterError):
    """This piece of work fails for a reason of its own: counted, and in the end a hole."""


class LakeError(PermanentError):
    """An object that the timeline names is not in the lake (no ``damage``), or is not as it was
    written.
    """

    def __init__(self, key: str, *, damage: str | None = None) -> None:
        super().__init__(
            f"the lake has no object {key}: was it deleted? Restore it"
            if damage is None
            else f"the lake's object {key} is damaged ({damage}): restore it"
        )
        self.key = key
        self.damage = damage


class MalformedResponseError(PermanentError):
    """The API answered something that is not what it documents."""


class FilterError(PermanentError):
    """The API's date filter does not work as assumed: nothing it answers may be stored."""


class InconsistentListingError(PermanentError):
    """The API's listings of one window contradict each other, for as long as was tried."""
