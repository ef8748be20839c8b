-- What was known at an instant: the latest row of each entry that was stored by then.
-- Parameter: the instant, such as '2026-01-31T12:00:00.000Z'. Rows of that very instant count.
SELECT
  logentryid, userid, activity, category, entrydate, durationminutes, description, isverified,
  exportedat, fingerprint
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
  FROM entries
  WHERE from_iso8601_timestamp(exportedat) <= from_iso8601_timestamp(?)
)
WHERE place = 1 AND change <> 'deleted'
