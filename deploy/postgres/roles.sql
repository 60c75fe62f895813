-- Who may do what in the journal's database. Run it as the owner of the tables, after `tierfold tables`, and again after adding shards.
-- Nobody may change or remove an event: not even the owner, for whom triggers refuse it. The intake may add; everybody else may read.
-- Give each process a login of its own in one of these roles, as: CREATE ROLE bank_intake LOGIN PASSWORD '…' IN ROLE tierfold_intake;
DO $$
DECLARE
  role text;
  shard text;
BEGIN
  FOREACH role IN ARRAY ARRAY['tierfold_intake', 'tierfold_reader', 'tierfold_operator', 'tierfold_privacy'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
  FOR shard IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^tierfold_[0-9]+$' LOOP
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', shard);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO tierfold_intake, tierfold_reader, tierfold_operator, tierfold_privacy', shard);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO tierfold_intake, tierfold_reader, tierfold_operator, tierfold_privacy', shard);
    -- the intake: adds events and what belongs to them; counts, takes ownership, notes how far it has read; changes nothing else
    EXECUTE format('GRANT INSERT ON ALL TABLES IN SCHEMA %I TO tierfold_intake', shard);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO tierfold_intake', shard);
    EXECUTE format('GRANT UPDATE ON %I.owner, %I.counts, %I.notification_tracking TO tierfold_intake', shard, shard, shard);
    -- operators: note that something in quarantine was sent once more
    EXECUTE format('GRANT UPDATE (redriven_at) ON %I.quarantine TO tierfold_operator', shard);
  END LOOP;
END $$;
