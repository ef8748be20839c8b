"""Processes that stand still at every call of a port, until somebody decides how it goes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from greenlet import getcurrent, greenlet

from cpd_exporter.errors import ExporterError, MalformedResponseError, TransientError


class Fate(StrEnum):
    """What becomes of one call, or of the process that makes it."""

    PROCEED = "proceed"
    DIE_BEFORE = "die-before"
    DIE_AFTER = "die-after"
    LOSE_ANSWER = "lose-answer"
    THROTTLE = "throttle"
    PARTLY = "partly"
    MALFORM = "malform"


class Crash(BaseException):  # not an error of anyone's: the process is gone
    """The process dies here. No ``except Exception`` outlives it."""


@dataclass(slots=True)
class Call:
    """A call of a port that is about to happen. ``applied`` says whether it took effect."""

    port: str
    method: str
    args: tuple[Any, ...]
    apply: Callable[[], Any]
    part: Callable[[], Any] | None = None
    applied: bool = False

    @property
    def name(self) -> str:
        return f"{self.port}.{self.method}"

    @property
    def writes(self) -> bool:
        return self.name in WRITES

    @property
    def fates(self) -> tuple[Fate, ...]:
        """All that can become of it, each differing from the others in what happens after."""
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
        "timeline.advance",
        "timeline.prove",
        "timeline.note_tick",
        "timeline.update",
        "timeline.prepend",
        "timeline.retreat",
        "timeline.commit",
        "timeline.mark_sent",
        "timeline.ask",
        "timeline.forget",
        "timeline.request",
        "timeline.continue_request",
        "timeline.mark_request_sent",
        "timeline.update_deletion_quota",
        "timeline.record_refusal",
        "queue.send",
        "lake.put_new",
        "topic.publish",
        "mailbox.deliver",
    }
)


@dataclass(eq=False)
class Process:
    """One run of the planner, or of a worker on one message.

    ``call`` is where it stands, ``None`` once it has ended: with a ``result``, by an ``error`` that
    the exporter expects, or ``dead``. ``sees`` is what it read of the source, for the oracle.
    ``skew`` is how far its clock is ahead.
    """

    name: str
    body: Callable[["Process"], Any]
    started: datetime
    skew: timedelta = timedelta(0)
    call: Call | None = None
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

    def resume(self, fate: Fate, observe: Callable[["Process", Call, Any], None]) -> None:
        """Let the call happen, or not, and the process run on to the next one.

        ``observe`` is told of every effect, before the process is.
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
            outcome = None  # the queue says what it took
        if outcome is None:
            self._go(lambda: self._greenlet.switch(answer))
        else:
            self._go(lambda: self._greenlet.throw(outcome))

    def meet(self, call: Call) -> Any:
        """Called from inside: stand still before ``call``; returns its answer."""
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
        else:
            if self._greenlet.dead:
                self.call, self.result = None, came
            else:
                self.call = came


_OUTCOMES: dict[Fate, Callable[[Call], BaseException | None]] = {
    Fate.PROCEED: lambda _: None,
    Fate.DIE_BEFORE: lambda _: Crash(),
    Fate.DIE_AFTER: lambda _: Crash(),
    Fate.LOSE_ANSWER: lambda call: TransientError(f"no answer to {call.name}"),
    Fate.THROTTLE: lambda call: TransientError(f"{call.name} is throttled"),
    Fate.PARTLY: lambda call: TransientError(f"{call.name} was done in part"),
    Fate.MALFORM: lambda _: MalformedResponseError("not JSON"),
}


class Port:
    """A port as one process sees it: every call of a method is a point where it stands still.

    A stream is one at each of its items: it is no snapshot, as the real one is none.
    """

    def __init__(self, process: Process, name: str, inner: Any) -> None:
        self._process = process
        self._name = name
        self._inner = inner

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._inner, method)
        if not callable(inner) or method in _POINTLESS:
            return inner
        if method in _STREAMS:
            return lambda *args: self._stream(method, *args)

        def meet(*args: Any, **kwargs: Any) -> Any:
            part = _PARTS.get(f"{self._name}.{method}")
            return self._process.meet(
                Call(
                    self._name,
                    method,
                    args,
                    lambda: inner(*args, **kwargs),
                    part and (lambda: part(inner, *args, **kwargs)),
                )
            )

        return meet

    def _stream(self, method: str, *args: Any) -> Iterator[Any]:
        items = getattr(self._inner, method)(*args)

        def following() -> Any:
            """The next item as it is by now; ``None`` at the end."""
            return next(items, None)

        while (item := self._process.meet(Call(self._name, method, args, following))) is not None:
            yield item


_POINTLESS = frozenset({"uri"})
_STREAMS = frozenset({"pages", "pages_before", "undone", "sweeps", "asks", "requests"})


def _half(inner: Callable[..., Any], items: Any, *args: Any) -> Any:
    return inner(items[: (len(items) + 1) // 2], *args)


def _less_than_half(inner: Callable[..., Any], items: Any) -> Any:
    return inner(items[: len(items) // 2])


_PARTS: dict[str, Callable[..., Any]] = {
    "queue.send": _less_than_half,
    "topic.publish": _half,
    "timeline.mark_sent": _half,
}
