-- The triggers that protect the journal look at its own tables, whatever tables a session has in their place: temporary
-- ones, those of another schema, or none at all, as when pg_dump's rows are read back into a schema that was made before.

DO $$
DECLARE
    here text := quote_ident(current_schema());
    guard text;
BEGIN
    FOREACH guard IN ARRAY ARRAY['refuse_change', 'require_chain', 'require_advance', 'require_head'] LOOP
        EXECUTE format('ALTER FUNCTION %s.%I() SET search_path = %s, pg_temp', here, guard, here);
    END LOOP;
END $$;
