"""The API, read exactly, whatever order, bounds and totals it answers with.

response          one response, checked against the window that was asked for
counter           how many entries a window holds
window_reader     all entries of one window
window_splitter   where a window that overflows is split: a survey shows where its rows lie
dense_reader      a window that holds more than one response and cannot be split
reading_progress  the progress of such a reading, as bytes
union             the union of repeated complete readings, for more than one response holds
filter_check      whether the date filter finds entries by their second
filter_zone       the time zone that explains what the filter does not find
by_id             entries by their IDs
minutes_reader    the API's own sums of minutes
"""
