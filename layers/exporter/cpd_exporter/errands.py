"""Errands: what an operator asks of a worker. They go on from the request's cursor.

A worker claims the request as it does a page, and stores how far it is. One that dies, or is asleep
while another takes over, repeats at most what lies behind the last cursor: the same events, or the
same report.
"""

from collections.abc import Callable

from cpd_exporter.claiming import Outcome, RequestClaim, SupersededError, Tools, WorkReport
from cpd_exporter.errors import ConfigurationError, PermanentError, TransientError
from cpd_exporter.model.instants import format_instant
from cpd_exporter.model.timeline import Errand, Request
from cpd_exporter.replaying import replay
from cpd_exporter.verifying import verify

_ERRANDS: dict[Errand, Callable[[RequestClaim, Callable[[], bool]], WorkReport]] = {
    Errand.REPLAY: replay,
    Errand.VERIFY: verify,
}


def run_errand(tools: Tools, name: str, may_go_on: Callable[[], bool]) -> WorkReport:
    """Go on with a request, for as long as ``may_go_on``; raises as ``Worker.work`` does.

    After the last attempt at one spot the request is given up: it is for the operator to ask again.
    """
    request = next((one for one in tools.timeline.requests() if one.name == name), None)
    if request is None or request.errand not in _ERRANDS:
        return WorkReport(Outcome.GONE)
    if request.lease_until is not None and request.lease_until > tools.clock():
        return WorkReport(Outcome.HELD)
    claim = RequestClaim(request, tools)
    try:
        return _go_on(claim, may_go_on)
    except SupersededError:
        return WorkReport(Outcome.SUPERSEDED)


def _go_on(claim: RequestClaim, may_go_on: Callable[[], bool]) -> WorkReport:
    request, effort = claim.request, claim.tools.effort
    if request.attempts >= effort.attempts:
        silent = f"{request.attempts} workers ended without a word: out of time or of memory?"
        return _give_up(claim, request.error or silent)
    # The attempt counts from here, so that one which kills its worker counts too.
    claim.move(attempts=request.attempts + 1, lease_until=claim.tools.clock() + effort.lease)
    try:
        return _ERRANDS[request.errand](claim, may_go_on)
    except (TransientError, ConfigurationError) as error:
        attempts = max(0, claim.request.attempts - 1)
        claim.move(attempts=attempts, lease_until=None, error=str(error))
        raise
    except PermanentError as error:
        if claim.request.attempts >= effort.attempts:
            return _give_up(claim, str(error))
        claim.move(lease_until=None, error=str(error))
        raise


def _give_up(claim: RequestClaim, error: str) -> WorkReport:
    claim.end()
    return WorkReport(Outcome.GIVEN_UP, error=PermanentError(_given_up(claim.request, error)))


def _given_up(request: Request, error: str) -> str:
    return f"{request.name} is given up at {format_instant(request.cursor)}: {error}"
