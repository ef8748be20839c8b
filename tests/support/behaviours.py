"""What an API may do, and entries to export from it."""

from simulator.behaviour import Behaviour

BEHAVIOURS = {
    "documented": Behaviour(),
    "inclusive": Behaviour(from_inclusive=True, to_inclusive=True),
    "truncated": Behaviour(precision="second"),
    "truncated-inclusive": Behaviour(precision="second", from_inclusive=True, to_inclusive=True),
    "descending": Behaviour(order="descending"),
    "random": Behaviour(shuffle="all"),
    "ties": Behaviour(shuffle="ties", precision="second"),
    "ties-by-page": Behaviour(shuffle="ties", shuffle_by="page", precision="second"),
    "by-page-size": Behaviour(shuffle="all", shuffle_by="per-page"),
    "small-pages": Behaviour(per_page_cap=100),
    "totals-too-high": Behaviour(totals_factor=1.5, totals_extra=3),
    "absurd-totals": Behaviour(totals_extra=10**12),
    "no-totals": Behaviour(totals_factor=0),
    "behind": Behaviour(clock_skew_seconds=-3600),
    "ahead": Behaviour(clock_skew_seconds=3600),
}
