"""Measures what the exporter costs: ``make bench``.

Each figure of time is a median of several runs, beside something else that was measured in the
same rounds: a machine's speed cancels out. Counted figures, such as calls, are exact.

cpu            a worker's CPU per entry, by stage, and that of other tools
worker_run     the program that one such run is, and stopwatch its stages
peers/         other tools on the same entries, each a program in an environment of its own
environments   those environments
calls          API calls of a first export, for several patterns of arrivals
costs          AWS calls and prices; account is the deployment that is metered for it
cold_starts    the functions' starts, from the built layer
memory         peak memory, by memory_run in processes of their own
ticks          bounded ticks, over long_timeline and even_api, which take no memory
latency        from an entry's appearance to its event
aws_stub       an SNS that accepts everything, and a secret, as a process of its own
processes      starts programs and servers
report         figures, tables and bars; pictures draws them for docs/cost.md
"""
