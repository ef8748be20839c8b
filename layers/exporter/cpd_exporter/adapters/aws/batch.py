"""Calls that carry up to ten items. AWS may accept some of them and refuse others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws.client import failure, is_throttling, translated
from cpd_exporter.errors import ConfigurationError, TransientError

MAX_BATCH_ENTRIES = 10
"""SNS and SQS accept no more in one call."""

_MAX_ATTEMPTS = 5


class Batch[Item]:
    """Items to send. Calls and answers name each by its place in the batch.

    AWS refused the items in ``refused`` for good: each comes with AWS's code. The items in ``left``
    are neither accepted nor refused so far.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.left: dict[str, Item] = {str(place): item for place, item in enumerate(items)}
        self.accepted: list[Item] = []
        self.refused: list[tuple[Item, str]] = []

    def send(
        self,
        call: Callable[[Mapping[str, Item]], Mapping[str, Any]],
        *,
        action: str,
        resource: str,
        sleep: Callable[[float], None],
    ) -> Self:
        """Repeat ``call`` with the items that are left, until none is, but not for ever.

        ``call`` returns AWS's answer. Raises ``ConfigurationError``, and ``TransientError`` for an
        outage or where items are left. Accepted items stay accepted.
        """
        codes: set[str] = set()

        def attempt() -> bool:
            codes.clear()
            with translated(action, resource):
                answer = call(self.left)
            for success in answer.get("Successful", []):
                self.accepted.append(self.left.pop(success["Id"]))
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
            stop=stop_after_attempt(_MAX_ATTEMPTS),
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
