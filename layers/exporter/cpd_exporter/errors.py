"""The exporter's errors. The type says what happens next, the message where and how to mend it.

Messages are logged, stored and shown, so none may hold a secret or the content of an entry.
"""


class ExporterError(Exception):
    """Base of every failure that the exporter expects and explains."""


class ConfigurationError(ExporterError):
    """The deployment lacks something that only its operator can give. Nothing can start."""


class EmptySecretError(ConfigurationError):
    """The secret has no value, or is gone."""


class NotSetUpError(EmptySecretError):
    """A new stack waits for its secret. That is no failure: it has exported nothing yet."""


class MalformedInputError(ExporterError):
    """A command or a message is not understandable. It is refused, never retried."""


class TransientError(ExporterError):
    """Another system is not ready (429, 5xx, time-out, throttling). The same call is tried later.

    An outage strikes all work alike, so it never counts against the page that met it.
    ``retry_after`` is in seconds, if the other system named a time.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerError(TransientError):
    """The API answers 500, 501, 502 or 504: it is not well, or it fails over a record.

    Whoever can ask for something else finds out which.
    """


class PausedError(TransientError):
    """The caller's share of time or of calls is used up. Whoever comes next goes on: no failure."""


class AccessError(TransientError):
    """401 or 403. The exporter waits until an operator mends it, and repeats no call at once."""


class WithdrawnError(TransientError):
    """The API has no listing any more (404 or 410). That is no page's fault, and no call helps."""


class PermanentError(ExporterError):
    """A piece of work fails for its own reasons. Attempts count, and the last one makes a hole."""


class LakeError(PermanentError):
    """The lake lacks an object that the timeline names, or the object has some ``damage``."""

    def __init__(self, key: str, *, damage: str | None = None) -> None:
        super().__init__(
            f"the lake has no object {key}: was it deleted? Restore it"
            if damage is None
            else f"the lake's object {key} is damaged ({damage}): restore it"
        )
        self.key = key
        self.damage = damage


class MalformedResponseError(PermanentError):
    """The API's answer does not have the documented form."""


type LookUpError = PermanentError | TransientError
"""What an entry's look-up by ID may end with."""


class OversizedResponseError(MalformedResponseError):
    """A response has more bytes than a worker reads. The same query with fewer rows may fit."""


class FilterError(PermanentError):
    """The API's date filter does not work as assumed, so no answer may be stored."""


class AmbiguousBoundError(PermanentError):
    """A bound lies in hours that the clock of the filter's time zone shows twice."""


class InconsistentListingError(PermanentError):
    """The API's listings of one window contradict each other, after all attempts."""
