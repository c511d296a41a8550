-- The job's way in.
ALTER ROLE retention_job PASSWORD 'make-believe';
