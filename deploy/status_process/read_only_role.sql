-- The role of the status process: it may read what decides about readiness, and no more (the file's bytes, users, tokens
-- and the storage providers' keys are nobody's business here). As the owner of the tables:
--   psql -v password="'...'" -f read_only_role.sql DATABASE
CREATE ROLE sidecar_status LOGIN PASSWORD :password CONNECTION LIMIT 20;
ALTER ROLE sidecar_status SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO sidecar_status;
GRANT SELECT (id, is_deleted) ON projects TO sidecar_status;
GRANT SELECT (project_id, storage_provider_id, is_initialized) ON project_storage_providers TO sidecar_status;
GRANT SELECT (id, is_default, created_at) ON storage_providers TO sidecar_status;
GRANT SELECT (id, type, project_id, is_deleted) ON containers TO sidecar_status;
GRANT SELECT (data_file_id, upload_id, version_number) ON file_versions TO sidecar_status;
GRANT SELECT (id, completed_at, is_consistent) ON uploads TO sidecar_status;
