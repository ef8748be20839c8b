"""The ports in memory: plain, and held to the same contract suites as the real adapters."""

from tests.fakes.api import FakeApi
from tests.fakes.lake import FakeLake
from tests.fakes.mailbox import FakeMailbox
from tests.fakes.queue import FakeQueue
from tests.fakes.timeline import FakeTimeline
from tests.fakes.topic import FakeTopic

__all__ = ["FakeApi", "FakeLake", "FakeMailbox", "FakeQueue", "FakeTimeline", "FakeTopic"]
