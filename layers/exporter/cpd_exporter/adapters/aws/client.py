"""How AWS is called: the settings of every client, its errors, and calls in parallel."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import botocore
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from cpd_exporter.errors import ConfigurationError, ExporterError, TransientError

MAX_PARALLEL_CALLS = 16
"""The number of calls, or batches, under way at once."""

CLIENT_CONFIG = Config(
    connect_timeout=3,
    read_timeout=15,
    max_pool_connections=2 * MAX_PARALLEL_CALLS,
    retries={"mode": "standard", "total_max_attempts": 4},
    # Without a name of its own, botocore composes a long one anew for each call.
    user_agent=f"cpd-exporter Botocore/{botocore.__version__}",
)
"""Every client has these settings, so that no call outlasts a function."""

# Only an operator can mend these. The exporter waits for all other refusals to pass: a store's
# refusal is never the fault of a page, so it may not turn the page into a hole.
_OPERATORS_TO_MEND = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "KMS.AccessDeniedException",
        "KMS.DisabledException",
        "KMS.NotFoundException",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
        "KMSDisabled",
        "KMSNotFound",
        "KmsAccessDenied",
        "KmsDisabled",
        "KmsNotFound",
        "NoSuchBucket",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def code_of(error: ClientError) -> str:
    """AWS's own name of an error, such as ``ConditionalCheckFailedException``."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def is_throttling(code: str) -> bool:
    """Whether a code means too many calls. Some services call that the sender's fault."""
    return "throttl" in code.lower()


def failure(code: str, *, action: str, resource: str, detail: str = "") -> ExporterError:
    """The exporter's error for a code. An operator who can mend it gets to read ``detail``."""
    if code in _OPERATORS_TO_MEND:
        return ConfigurationError(
            f"{action} on {resource} is refused ({code}): see whether it exists, and allow the "
            f"function's role this action. {detail}".rstrip()
        )
    return TransientError(f"{action} on {resource} failed ({code})")


@contextmanager
def translated(action: str, resource: str) -> Iterator[None]:
    """Turn the errors of a call to AWS into the exporter's own.

    ``action`` as IAM names it, such as ``s3:PutObject``.
    """
    try:
        yield
    except ClientError as error:
        detail = str(error.response.get("Error", {}).get("Message", ""))
        raise failure(code_of(error), action=action, resource=resource, detail=detail) from error
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise ConfigurationError(
            f"{action} on {resource} cannot be called ({error}): "
            "give the function a role and a region"
        ) from error
    except BotoCoreError as error:
        raise TransientError(f"{action} on {resource} failed ({type(error).__name__})") from error


def in_parallel[Item, Result](
    call: Callable[[Item], Result], items: Iterable[Item], *, threads: int = MAX_PARALLEL_CALLS
) -> list[Result]:
    """Call for every item, several at once, and return the results in the items' order.

    The first error is raised. Calls that have not begun by then never begin.
    """
    with ThreadPoolExecutor(threads) as pool:
        calls = [pool.submit(call, item) for item in items]
        try:
            return [call.result() for call in calls]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
