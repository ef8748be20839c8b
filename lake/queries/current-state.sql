-- The current state: the latest row of each entry. Entries that were deleted are gone.
SELECT
  logentryid, userid, activity, category, entrydate, durationminutes, description, isverified,
  exportedat, fingerprint
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
  FROM entries
)
WHERE place = 1 AND change <> 'deleted'
