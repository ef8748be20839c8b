"""A simulator of the Thrive API: the documented behaviour, and switches for other behaviour.

source        the entries: a thread-safe store, sorted by date, that tests may change at any time
entry_writer  made-up entries: a profile and its seed decide every byte
calls         a call's request, answer and record
faults        the effect of an injected fault on an answer (pure)
behaviour     the switches; their defaults are the documented behaviour
offset_pages  the entries that answer a query, in order (pure)
minutes       the minutes of each user in a period (pure)
access        authorisation: Basic, bearer tokens, the token endpoint
simulator     the calls of the API, without HTTP
refusal       the answer to a call that the service refuses
server        the same calls over real HTTP
"""

from simulator.access import Credentials
from simulator.behaviour import Behaviour, InjectedFault, ScheduledChange
from simulator.calls import RecordedCall
from simulator.entry_writer import Profile, demo_profile, seeded
from simulator.offset_pages import EntriesPage, Query
from simulator.refusal import Refused
from simulator.server import running
from simulator.simulator import Simulator
from simulator.source import EntryStore, StoredEntry

__all__ = [
    "Behaviour",
    "Credentials",
    "EntriesPage",
    "EntryStore",
    "InjectedFault",
    "Profile",
    "Query",
    "RecordedCall",
    "Refused",
    "ScheduledChange",
    "Simulator",
    "StoredEntry",
    "demo_profile",
    "running",
    "seeded",
]
