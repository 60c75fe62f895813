-- Who may do what in the database of keys, which is another one than the journal's. Run it as the owner, after `tierfold tables`.
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['tierfold_intake', 'tierfold_reader', 'tierfold_operator', 'tierfold_privacy'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
END $$;
GRANT SELECT ON keys, restricted, changes TO tierfold_intake, tierfold_reader, tierfold_operator, tierfold_privacy;
GRANT INSERT ON keys TO tierfold_intake;
-- The privacy office: destroys, restricts, lifts and wraps anew. What was overwritten is wiped by VACUUM FULL, which PostgreSQL 17 and
-- later can allow it (GRANT MAINTAIN ON keys TO tierfold_privacy); before, the certificate says that the owner has to do it.
GRANT INSERT, UPDATE ON keys TO tierfold_privacy;
GRANT INSERT, DELETE ON restricted TO tierfold_privacy;
GRANT UPDATE ON changes TO tierfold_privacy;
