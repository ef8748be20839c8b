"""The worker: a message in, objects and events out.

worker          a message to the work that it names, and the outcome
context         what every piece of work needs, and what a worker reports of it
attempt         one attempt at a page, a sweep or a job: claimed, updated and ended
job_claim       a job in a worker's hands, and what is left of it at its end
fault_suspects  how many parts of a failing window may hold the fault
export          one page out of the API, into the lake, and published
checkpoint      the progress of a dense page's reading, in the lake
publish         rows to the lake, then to the subscribers
lake_reader     the index of a page's entries, and the rows that it names
sweep           done pages read again, and the difference published
replay          the entries of a range, published again from the lake
verify          the lake against the page indexes and the API's own sums
refresh         entries looked up by ID, and sweeps requested of their pages
republish       refused events, published again
ping            one event of no entry, for subscribers to try themselves with
backoff         how long a message waits after its work failed
metrics         a report as metrics and log fields
"""
