-- Who may do what in the database of keys, which is another one than the journal's. Run it as the owner, after `tierfold tables`.
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['tierfold_intake', 'tierfold_reader', 'tierfold_privacy'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
END $$;
GRANT SELECT ON keys, restricted, changes TO tierfold_intake, tierfold_reader, tierfold_privacy;
GRANT INSERT ON keys TO tierfold_intake;
-- the privacy office: destroys, restricts, lifts and wraps anew. PostgreSQL lets only the owner wipe what was overwritten (VACUUM FULL).
GRANT INSERT, UPDATE ON keys TO tierfold_privacy;
GRANT INSERT, DELETE ON restricted TO tierfold_privacy;
GRANT UPDATE ON changes TO tierfold_privacy;
