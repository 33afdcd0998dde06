-- The types of the type zoo, and how to compare its tables.
--
-- For both sides: zoo.sql includes this file upstream; on the target it is run
-- by itself before the source is created, for a shadow table needs the types
-- of its columns.  PostgreSQL 11 and later.
\set ON_ERROR_STOP on

CREATE SCHEMA zoo_types;

SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') AS have_hstore,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext') AS have_citext
\gset
\if :have_hstore
CREATE EXTENSION hstore SCHEMA zoo_types;
\endif
\if :have_citext
CREATE EXTENSION citext SCHEMA zoo_types;
\endif

CREATE TYPE zoo_types.mood AS ENUM ('sad', 'ok', 'happy', 'a,b', 'with space', 'it''s', 'Ünïcode', '"quoted"', '');
CREATE TYPE zoo_types."Odd ""Enum""" AS ENUM ('z', 'a');

CREATE DOMAIN zoo_types.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN zoo_types.small_positive AS zoo_types.positive CHECK (VALUE < 1000);
CREATE DOMAIN zoo_types.required AS text NOT NULL;
CREATE DOMAIN zoo_types.code AS varchar(8) COLLATE "C" CHECK (VALUE ~ '^[A-Z]*$');
CREATE DOMAIN zoo_types.tags AS text[] CHECK (array_length(VALUE, 1) < 10);
CREATE DOMAIN zoo_types.exact AS numeric(12, 4);
CREATE DOMAIN zoo_types.mood_domain AS zoo_types.mood CHECK (VALUE <> 'sad');

CREATE TYPE zoo_types.pair AS (a integer, b text);
CREATE TYPE zoo_types.nested AS (p zoo_types.pair, m zoo_types.mood, d zoo_types.positive, l zoo_types.pair[], "Quoted, Name" date);

CREATE TYPE zoo_types.textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE zoo_types.floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE zoo_types.moodrange AS RANGE (subtype = zoo_types.mood);

-- Number of rows and a hash of a table's contents, independent of the order of
-- rows and columns and of the server's version: floating point goes in as bits
-- (servers before 12 print it with other digits), everything else as the text
-- that its type's output function makes (concat; a cast would differ for
-- char(n)), under pinned settings.  So a column taken as text has the same
-- hash.  Without children that inherit from it; without a list of columns all
-- but generated ones.
CREATE FUNCTION zoo_types.digest(relation regclass, columns name[] DEFAULT NULL,
                                 OUT rows bigint, OUT hash text)
LANGUAGE plpgsql STABLE
SET search_path = ''
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 3
SET bytea_output = 'hex'
SET lc_monetary = 'C'
AS $$
DECLARE
  images text;
BEGIN
  SELECT string_agg(
           CASE WHEN coalesce(e.typcategory, t.typcategory) = 'G'
                     OR coalesce(e.typname, t.typname) IN ('float4', 'float8')
                THEN format('encode(%s(%I), ''hex'')', t.typsend, a.attname)
                ELSE format('CASE WHEN num_nulls(%1$I) = 0 THEN concat(%1$I) END', a.attname) END,
           ', ' ORDER BY a.attname::text COLLATE "C")
    INTO images
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
   WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
     AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = ''
     AND (columns IS NULL OR a.attname = ANY (columns));
  EXECUTE format('SELECT count(*), md5(coalesce(string_agg(h, '''' ORDER BY h COLLATE "C"), ''''))'
                 ' FROM (SELECT md5(ARRAY[%s]::text[]::text) AS h FROM %s%s) AS s',
                 images,
                 (SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END FROM pg_catalog.pg_class AS c WHERE c.oid = relation),
                 relation)
    INTO rows, hash;
END
$$;
COMMENT ON FUNCTION zoo_types.digest(regclass, name[]) IS 'number of rows and hash of a table, the same on all versions';
