"""A stand-in for the Thrive API: the documented behaviour, and a switch for all that is not.

source     the entries: a thread-safe store, sorted by date, that tests may change at any time
seeding    made-up entries, a function of a profile and its seed
behaviour  the switches; their defaults are the documented behaviour
listing    which entries answer a query, and in which order (pure)
summing    the minutes of each user in a period (pure)
access     who may ask: Basic, bearer tokens, the token endpoint
simulator  all of these behind the calls of the API, without HTTP
server     the same over real HTTP
"""

from simulator.access import Credentials
from simulator.behaviour import Behaviour, Change, Fault
from simulator.listing import Listing, Query
from simulator.refusal import Refused
from simulator.seeding import Profile, demo_profile, seeded
from simulator.server import running
from simulator.simulator import Call, Simulator
from simulator.source import EntryStore, StoredEntry

__all__ = [
    "Behaviour",
    "Call",
    "Change",
    "Credentials",
    "EntryStore",
    "Fault",
    "Listing",
    "Profile",
    "Query",
    "Refused",
    "Simulator",
    "StoredEntry",
    "demo_profile",
    "running",
    "seeded",
]
