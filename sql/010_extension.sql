-- The extension as it is installed: what there is, who may use it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION mz_ingest;

-- statements as functions, with their arguments
\pset format unaligned
SELECT p.oid::regprocedure::text AS function,
  (SELECT string_agg(name, ', ' ORDER BY n)
    FROM unnest(p.proargnames[1:p.pronargs]) WITH ORDINALITY AS a(name, n)) AS arguments
FROM pg_proc p
WHERE p.pronamespace = 'mz_ingest'::regnamespace
  AND p.proname ~ '^(create|alter|drop|add|validate|pause|resume|resync|wait)_|^check$'
ORDER BY 1;
\pset format aligned

-- every argument but the leading ones has a default
SELECT p.proname, p.pronargs - p.pronargdefaults AS needed
FROM pg_proc p
WHERE p.pronamespace = 'mz_ingest'::regnamespace
  AND p.proname ~ '^(create|alter|drop|add|validate|pause|resume|resync|wait)_'
ORDER BY 1, 2;

-- nothing that writes, and no table, is for everybody: these read shared memory
SELECT p.oid::regprocedure AS public_function, p.provolatile
FROM pg_proc p
WHERE p.pronamespace = 'mz_ingest'::regnamespace
  AND has_function_privilege('public', p.oid, 'EXECUTE') AND p.provolatile = 'v'
ORDER BY 1;
SELECT c.oid::regclass AS public_table
FROM pg_class c
WHERE c.relnamespace = 'mz_ingest'::regnamespace AND c.relkind IN ('r', 'S')
  AND has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
ORDER BY 1;
SELECT has_table_privilege('pg_monitor', 'mz_ingest.secret', 'SELECT') AS monitor_reads_secrets,
  has_table_privilege('pg_monitor', 'mz_ingest.orphan_slot', 'SELECT') AS monitor_reads_conninfo;

-- every object says what it is
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'mz_ingest')
  AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_event_trigger'::regclass)
  AND obj_description(d.objid, d.classid::regclass::name) IS NULL
  -- what belongs to an identity column has none
  AND NOT EXISTS (SELECT FROM pg_depend i
    WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')
ORDER BY 1;

-- comments of functions tell their errors
SELECT p.oid::regprocedure AS without_errors
FROM pg_proc p
WHERE p.pronamespace = 'mz_ingest'::regnamespace
  AND p.proname ~ '^(create|alter|drop|add|validate|pause|resume|resync|wait)_'
  AND obj_description(p.oid, 'pg_proc') !~ 'Errors: '
ORDER BY 1;

-- the extension finds nothing wrong with itself
SELECT name, ok, hint FROM mz_ingest.check() WHERE name <> 'worker processes' ORDER BY name COLLATE "C";
