"""The ports in memory: plain, and held to the same contract suites as the real adapters."""

from tests.support.fakes.api import FakeApi
from tests.support.fakes.lake import FakeLake
from tests.support.fakes.queue import FakeQueue
from tests.support.fakes.replay_queue import FakeReplayQueue
from tests.support.fakes.timeline import FakeTimeline
from tests.support.fakes.topic import FakeTopic

__all__ = ["FakeApi", "FakeLake", "FakeReplayQueue", "FakeQueue", "FakeTimeline", "FakeTopic"]
