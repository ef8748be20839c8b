"""The planner: a command in, pages, sweeps and jobs sent, the watermark moved.

planner         one tick, and what becomes of a command
commands        an operator's command, stored as a job or as sweep requests
page_planner    new and past time into stored pages
slicer          one window into pages, by the API's counts
sweep_planner   done pages into sweeps
full_sweep      the sweep that reads everything again
follow_up       the sweep after a first export or a backfill
filter_checker  the daily check of the API's filter
filter_samples  where that check takes its samples from
reconciler      the API's total against the indexed entries
held_deletions  the deletions that wait for the operator, and their confirmation
index_cleanup   the index objects that no page names any more
lake_progress   how far the lake is complete, as its readers learn it
backlog         the pages that are not done
refusals        the events that the topic refused
job_sender      jobs to the workers
limits          how much a tick plans and sends
report          what became of a command and of a tick
status          the state of the export, for the operator
summary         its first line: what is wrong, and what to type
month_table     each month of the timeline in a line
workload        the work that is left, and whether anybody does it
description     pages, jobs and refusals as members of the status
"""
