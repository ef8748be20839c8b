-- Creates the view typed_entries: every row of the table, with dates as timestamps and without structs.
CREATE OR REPLACE VIEW typed_entries AS
SELECT
  logentryid AS log_entry_id,
  userid AS user_id,
  activity.type AS activity_type,
  activity.name AS activity_name,
  category.categoryid AS category_id,
  category.name AS category_name,
  CAST(from_iso8601_timestamp(entrydate) AT TIME ZONE 'UTC' AS timestamp(3)) AS entry_date,
  durationminutes AS duration_minutes,
  description,
  isverified AS is_verified,
  change,
  fingerprint,
  tenantid AS tenant_id,
  CAST(from_iso8601_timestamp(exportedat) AT TIME ZONE 'UTC' AS timestamp(3)) AS exported_at,
  schemaversion AS schema_version,
  fingerprintexclude AS fingerprint_exclude,
  entry_month
FROM entries
