-- Brings the Iceberg table current_entries up to the current state. Run twice, it changes nothing.
-- CurrentTableSchedule runs it; the table exists if that is set.
MERGE INTO current_entries AS c
USING (
  SELECT
    logentryid, userid, activity.type AS activity_type, activity.name AS activity_name,
    category.categoryid AS category_id, category.name AS category_name,
    CAST(from_iso8601_timestamp(entrydate) AT TIME ZONE 'UTC' AS timestamp(6)) AS entry_date,
    durationminutes, description, isverified, change, fingerprint, tenantid,
    CAST(from_iso8601_timestamp(exportedat) AT TIME ZONE 'UTC' AS timestamp(6)) AS exported_at
  FROM (
    SELECT
      *,
      row_number() OVER (PARTITION BY logentryid ORDER BY exportedat DESC, fingerprint, change) AS place
    FROM entries
  )
  WHERE place = 1
) AS n
ON c.log_entry_id = n.logentryid
WHEN MATCHED AND n.change = 'deleted' THEN DELETE
WHEN MATCHED AND (c.exported_at <> n.exported_at OR c.fingerprint <> n.fingerprint) THEN UPDATE SET
  user_id = n.userid, activity_type = n.activity_type, activity_name = n.activity_name,
  category_id = n.category_id, category_name = n.category_name, entry_date = n.entry_date,
  duration_minutes = n.durationminutes, description = n.description, is_verified = n.isverified,
  fingerprint = n.fingerprint, exported_at = n.exported_at
WHEN NOT MATCHED AND n.change <> 'deleted' THEN INSERT (
  log_entry_id, user_id, activity_type, activity_name, category_id, category_name, entry_date,
  duration_minutes, description, is_verified, fingerprint, tenant_id, exported_at
) VALUES (
  n.logentryid, n.userid, n.activity_type, n.activity_name, n.category_id, n.category_name,
  n.entry_date, n.durationminutes, n.description, n.isverified, n.fingerprint, n.tenantid,
  n.exported_at
)
