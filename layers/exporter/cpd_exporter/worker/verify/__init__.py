"""Verification: the lake against the timeline's index, and against the API's own sums.

verify         stretch by stretch, from the job's cursor on
lake_check     every indexed entry's last row is in the lake, as it was published
minutes_check  the lake's minutes by user against the API's sums
report         the findings so far, and the report
"""
