-- The minutes of each user by calendar month (UTC), verified and not.
SELECT
  userid,
  date_format(from_iso8601_timestamp(entrydate) AT TIME ZONE 'UTC', '%Y-%m') AS month,
  sum(CASE WHEN isverified THEN durationminutes ELSE 0 END) AS verified_minutes,
  sum(CASE WHEN isverified THEN 0 ELSE durationminutes END) AS unverified_minutes,
  sum(durationminutes) AS minutes,
  count(*) AS number_of_entries
FROM (
  SELECT
    *,
    row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
  FROM entries
)
WHERE place = 1 AND change <> 'deleted'
GROUP BY 1, 2
ORDER BY 1, 2
