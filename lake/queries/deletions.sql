-- The entries that are deleted now, each with its last version and when its deletion was stored.
SELECT
  exportedat AS deletion_stored_at, logentryid, userid, activity, category, entrydate,
  durationminutes, description, isverified, fingerprint
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
  FROM entries
)
WHERE place = 1 AND change = 'deleted'
ORDER BY exportedat DESC, logentryid
