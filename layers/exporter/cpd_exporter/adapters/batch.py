"""Calls for up to ten things at once, of which AWS may take a part and leave the rest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws import failure, is_throttling, translated
from cpd_exporter.errors import ConfigurationError, TransientError

SIZE = 10
"""Entries that a call for SNS or SQS may hold."""

_ATTEMPTS = 5


class Batch[Item]:
    """Items on their way, by the names that calls and answers have for them.

    ``refused`` are those that are refused for good, with the vendor's codes; ``left`` are those
    that are neither taken nor refused.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.left: dict[str, Item] = {str(place): item for place, item in enumerate(items)}
        self.taken: list[Item] = []
        self.refused: list[tuple[Item, str]] = []

    def send(
        self,
        call: Callable[[Mapping[str, Item]], Mapping[str, Any]],
        *,
        action: str,
        resource: str,
        sleep: Callable[[float], None],
    ) -> Self:
        """Call, and again for what is left, until nothing is or it was tried for long enough.

        ``call`` returns the vendor's answer. Raises ``ConfigurationError``, and ``TransientError``
        for an outage or for what is still left; what was taken by then is.
        """
        codes: set[str] = set()

        def attempt() -> bool:
            codes.clear()
            with translated(action, resource):
                answer = call(self.left)
            for success in answer.get("Successful", []):
                self.taken.append(self.left.pop(success["Id"]))
            for failed in answer.get("Failed", []):
                error = failure(failed["Code"], action=action, resource=resource)
                if isinstance(error, ConfigurationError):
                    raise error
                if failed["SenderFault"] and not is_throttling(failed["Code"]):
                    self.refused.append((self.left.pop(failed["Id"]), failed["Code"]))
                else:
                    codes.add(failed["Code"])
            return bool(self.left)

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=sleep,
            retry_error_callback=lambda _: None,
        )(attempt)
        if self.left:
            raise TransientError(
                f"{action} on {resource} failed for {len(self.left)} of a batch "
                f"({', '.join(sorted(codes)) or 'no answer'})"
            )
        return self
