"""Values and pure functions: no clock, no randomness, no input or output.

window          a half-open interval of entry dates
page            a window and the work on it; sweeps
row_places      where the rows of an overflowing window lie in time
watermark       how far the export is, and the planner's last tick
job             work that takes more than one tick, of an operator or of the planner
sweep_request   a request to sweep one page
entry           CPD log entries, and records that are no valid entry
row             one version of an entry, as a line of a lake object
page_index      the last published version of each entry of a page
event           the notification about a row
reconciliation  the daily comparison of the API's total with the timeline's entries
refusal         an event that the topic refused for good
breaker         the guard against mass deletion
garbage         index objects that may have no page
minutes         the API's own sums
command         commands to the planner
command_words   how commands are written, and what a refusal says
message         messages to the worker
schema          the strict model of commands and messages
resend_policy   how long the planner waits before it sends work again
options         the documented choices of the API
exact_json      JSON with exact numbers
compression     gzip, as fast as the lake's objects need it
timestamps      instants as text
local_time      windows in the local time of a zone
"""
