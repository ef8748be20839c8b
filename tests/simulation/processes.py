"""Processes that stop at every call of a port, until a schedule decides the fate of the call."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from traceback import walk_tb
from typing import Any

from greenlet import getcurrent, greenlet

from cpd_exporter.errors import ExporterError, MalformedResponseError, TransientError
from tests.simulation.invariants import Invariant, Violation


class Fate(StrEnum):
    """The fate of one call, or of the process that makes it."""

    PROCEED = "proceed"
    DIE_BEFORE = "die-before"
    DIE_AFTER = "die-after"
    LOSE_ANSWER = "lose-answer"
    THROTTLE = "throttle"
    PARTLY = "partly"
    MALFORM = "malform"


class Crash(BaseException):  # no component's error: the process is gone
    """The process dies here. No ``except Exception`` catches it."""


@dataclass(slots=True)
class PortCall:
    """A call of a port, before it happens. ``applied`` says whether it took effect."""

    port: str
    method: str
    args: tuple[Any, ...]
    apply: Callable[[], Any]
    part: Callable[[], Any] | None = None
    applied: bool = False

    @property
    def name(self) -> str:
        """Port and method; for ``update_watermark``, also the members that change."""
        if self.method == "update_watermark":
            before, after = self.args
            changed = [
                one.name
                for one in fields(after)
                if getattr(before, one.name) != getattr(after, one.name)
            ]
            return ".".join((self.port, self.method, *changed))
        return f"{self.port}.{self.method}"

    @property
    def writes(self) -> bool:
        return f"{self.port}.{self.method}" in WRITES

    @property
    def fates(self) -> tuple[Fate, ...]:
        """All fates of this call that lead to different continuations."""
        fates = [Fate.DIE_BEFORE, Fate.THROTTLE]
        if self.writes:
            fates += [Fate.DIE_AFTER, Fate.LOSE_ANSWER]
        if self.part is not None:
            fates.append(Fate.PARTLY)
        if self.port == "api":
            fates.append(Fate.MALFORM)
        return tuple(fates)


WRITES = frozenset(
    {
        "timeline.begin",
        "timeline.append",
        "timeline.update_watermark",
        "timeline.update",
        "timeline.prepend",
        "timeline.commit",
        "timeline.mark_sent",
        "timeline.request_sweep",
        "timeline.drop_sweep_request",
        "timeline.add_job",
        "timeline.update_job",
        "timeline.end_job",
        "timeline.mark_job_sent",
        "timeline.update_breaker",
        "timeline.note_garbage",
        "timeline.drop_garbage",
        "lake.delete_index",
        "timeline.record_refusal",
        "timeline.update_refusal",
        "queue.send",
        "lake.put_new",
        "lake.put_progress",
        "topic.publish",
        "replay_queue.deliver",
    }
)


@dataclass(eq=False)
class Process:
    """One run of the planner, or of a worker on one message.

    ``call`` is the call at which it has stopped, or ``None`` once it has ended: with a ``result``,
    with an ``error`` that the exporter expects, or ``dead``. ``sees`` records its readings of the
    source for the oracle. ``skew`` is how far its clock is ahead.
    """

    name: str
    body: Callable[["Process"], Any]
    started: datetime
    skew: timedelta = timedelta(0)
    call: PortCall | None = None
    result: Any = None
    error: ExporterError | None = None
    dead: bool = False
    sees: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._greenlet = greenlet(self.body)
        self._go(lambda: self._greenlet.switch(self))

    @property
    def alive(self) -> bool:
        return self.call is not None

    def resume(self, fate: Fate, observe: Callable[["Process", PortCall, Any], None]) -> None:
        """Apply ``fate`` to the call, and run the process on to its next call.

        ``observe`` gets every effect before the process gets the answer.
        """
        call = self.call
        assert call is not None, f"{self.name} has ended"
        apply = {Fate.DIE_BEFORE: None, Fate.THROTTLE: None, Fate.MALFORM: None}.get(
            fate, call.part if fate is Fate.PARTLY else call.apply
        )
        answer: Any = None
        outcome: BaseException | None = _OUTCOMES[fate](call)
        if apply is not None:
            try:
                answer = apply()
            except ExporterError as error:
                outcome = outcome or error
            else:
                call.applied = True
                observe(self, call, answer)
        if fate is Fate.PARTLY and call.name == "queue.send":
            outcome = None  # the queue names the messages it accepted
        if outcome is None:
            self._go(lambda: self._greenlet.switch(answer))
        else:
            self._go(lambda: self._greenlet.throw(outcome))

    def meet(self, call: PortCall) -> Any:
        """Called from inside the process: stop before ``call``; returns its answer."""
        assert not self.dead, f"{self.name} is dead, and calls {call.name}"
        outside = getcurrent().parent
        assert outside is not None
        return outside.switch(call)

    def _go(self, run: Callable[[], Any]) -> None:
        try:
            came = run()
        except Crash:
            self.call, self.dead = None, True
        except ExporterError as error:
            self.call, self.error = None, error
        except Exception as error:
            if _is_of_the_core(error):
                name = type(error).__name__
                message = f"{self.name} ended by {name}: {error}"
                raise Violation(Invariant.NO_CRASH, message) from error
            raise
        else:
            if self._greenlet.dead:
                self.call, self.result = None, came
            else:
                self.call = came


def _is_of_the_core(error: Exception) -> bool:
    """Whether the core raised this error: one of ours would be a mistake of the simulation's."""
    files = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
    ours = [file for file in files if "/cpd_exporter/" in file or "/tests/" in file]
    return bool(ours) and "/cpd_exporter/" in ours[-1]


_OUTCOMES: dict[Fate, Callable[[PortCall], BaseException | None]] = {
    Fate.PROCEED: lambda _: None,
    Fate.DIE_BEFORE: lambda _: Crash(),
    Fate.DIE_AFTER: lambda _: Crash(),
    Fate.LOSE_ANSWER: lambda call: TransientError(f"no answer to {call.name}"),
    Fate.THROTTLE: lambda call: TransientError(f"{call.name} is throttled"),
    Fate.PARTLY: lambda call: TransientError(f"{call.name} was done in part"),
    Fate.MALFORM: lambda _: MalformedResponseError("not JSON"),
}


class Port:
    """A port as one process sees it: the process stops at every call of a method.

    It also stops at each item of a stream, because a real stream is no snapshot either.
    """

    def __init__(self, process: Process, name: str, inner: Any) -> None:
        self._process = process
        self._name = name
        self._inner = inner

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._inner, method)
        if not callable(inner) or method in _POINTLESS:
            return inner
        if method in _ANSWERS_BY_ID:
            return lambda ids: self._answers(method, ids)
        if method in _STREAMS:
            return lambda *args: self._stream(method, *args)

        return lambda *args, **kwargs: self._meet(method, *args, **kwargs)

    def _meet(self, method: str, *args: Any, **kwargs: Any) -> Any:
        inner, part = getattr(self._inner, method), _PARTS.get(f"{self._name}.{method}")
        return self._process.meet(
            PortCall(
                self._name,
                method,
                args,
                lambda: inner(*args, **kwargs),
                part and (lambda: part(inner, *args, **kwargs)),
            )
        )

    def _answers(self, method: str, ids: Sequence[str]) -> dict[str, Any]:
        """Answers by ID: a failure takes the place of each."""
        try:
            answers: dict[str, Any] = self._meet(method, ids)
        except (MalformedResponseError, TransientError) as error:
            return dict.fromkeys(ids, error)
        return answers

    def _stream(self, method: str, *args: Any) -> Iterator[Any]:
        items = getattr(self._inner, method)(*args)

        def following() -> Any:
            """The next item in its present state; ``None`` at the end."""
            return next(items, None)

        while (
            item := self._process.meet(PortCall(self._name, method, args, following))
        ) is not None:
            yield item


_POINTLESS = frozenset({"uri"})
_ANSWERS_BY_ID = frozenset({"entries"})
_STREAMS = frozenset(
    {
        "pages",
        "pages_before",
        "undone",
        "flagged",
        "sweeps",
        "sweep_requests",
        "jobs",
        "garbage",
    }
)


def _half(inner: Callable[..., Any], items: Any, *args: Any) -> Any:
    return inner(items[: (len(items) + 1) // 2], *args)


def _less_than_half(inner: Callable[..., Any], items: Any) -> Any:
    return inner(items[: len(items) // 2])


_PARTS: dict[str, Callable[..., Any]] = {
    "queue.send": _less_than_half,
    "topic.publish": _half,
    "timeline.mark_sent": _half,
}
