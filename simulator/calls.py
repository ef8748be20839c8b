"""A call of the API: its request, its answer and its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.behaviour import Endpoint


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call with its answer. `query` holds the parameters, `entries` the number of entries."""

    endpoint: Endpoint
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    entries: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as HTTP delivers it; header names are in lower case."""

    endpoint: Endpoint
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    log_entry_id: str = ""
    tenant_id: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The response for HTTP to send after `delay` seconds; `cut_off` ends it in mid-body."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    cut_off: bool = False
    delay: float = 0.0
