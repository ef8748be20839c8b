-- The current state of one month, which reads the objects of that month alone.
-- Parameter: the month, such as '2026-01'.
-- The entry's own date decides. An entry that moved to another month is here too until the next sweep
-- of its old window: for exact totals at any moment, see current-state.
SELECT
  logentryid, userid, activity, category, entrydate, durationminutes, description, isverified,
  exportedat, fingerprint
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
  FROM entries
  WHERE entry_month = ?
)
WHERE place = 1
  AND change <> 'deleted'
  AND date_format(from_iso8601_timestamp(entrydate) AT TIME ZONE 'UTC', '%Y-%m') = entry_month
