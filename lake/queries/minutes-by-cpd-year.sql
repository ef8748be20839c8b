-- The minutes of each user by CPD year, verified and not. A CPD year is named by the calendar year in
-- which it begins (UTC).
-- Parameter: the month in which a CPD year begins, such as 4 for April.
SELECT
  userid,
  year(date_add('month', 1 - ?, from_iso8601_timestamp(entrydate) AT TIME ZONE 'UTC')) AS cpd_year,
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
