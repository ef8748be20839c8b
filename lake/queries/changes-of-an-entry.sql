-- All that is known of one entry, in the order in which it was stored.
-- Parameter: the entry's ID, such as '65f1c0ffee65f1c0ffee65f1'.
SELECT
  exportedat, change, userid, activity, category, entrydate, durationminutes, description,
  isverified, fingerprint
FROM entries
WHERE logentryid = ?
ORDER BY exportedat, fingerprint DESC
