-- How fresh the table is, by month: rows, entries, the latest date of an entry, and when the last row was
-- stored. A month without news has an old row: progress.json says how far the lake is complete.
SELECT
  entry_month,
  count(*) AS number_of_rows,
  count(DISTINCT logentryid) AS number_of_entries,
  max(entrydate) AS latest_entry,
  max(exportedat) AS last_stored_at
FROM entries
GROUP BY entry_month
ORDER BY entry_month DESC
