"""Sweeps: done pages read again, since entries are back-dated, edited and deleted unseen.

sweep      one sweep, from its claim to its merge
compare    the index of its pages against the window as it is listed now
deletions  which missing entries are published as deleted
look_up    missing entries by ID, and a control of such look-ups
other_pages  the pages to which entries moved
day_limit  how many a day may publish, and what is held beyond that
merge      one page in the place of all
split      a sweep that outgrew one response, or that holds a fault
"""
