-- The type zoo, upstream side: every kind of type, value, name, key and table
-- that a source may meet, in small amounts.  PostgreSQL 11 to 18, UTF8, as
-- superuser, in an empty database:
--
--    psql -f test/lib/zoo.sql
--
-- Publications made here:
--
--    zoo            every table below that has a usable replica identity;
--                   partitioned tables by their leaves
--    zoo_root       13+: partitioned tables through their root
--    zoo_filtered   15+: a row filter and a column list
--    zoo_insert_only    a table whose replica identity identifies nothing
--
-- Target side: zoo_types_target.sql, and schemas zoo and "Zoo ""2"", é".
-- Arguments for create_source: zoo.source_arguments('publication').  Changes to
-- apply later: zoo_changes.sql.  Compare with zoo_types.digest('table').
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET client_encoding = 'UTF8';

SELECT current_setting('server_version_num')::int >= 120000 AS v12,
       current_setting('server_version_num')::int >= 130000 AS v13,
       current_setting('server_version_num')::int >= 140000 AS v14,
       current_setting('server_version_num')::int >= 150000 AS v15,
       current_setting('server_version_num')::int >= 180000 AS v18,
       EXISTS (SELECT FROM pg_config WHERE name = 'CONFIGURE' AND setting LIKE '%with-libxml%') AS have_xml
\gset

\ir zoo_types_target.sql

CREATE SCHEMA zoo;
CREATE SCHEMA "Zoo ""2"", é";

-- ---- every built-in scalar type ---------------------------------------------
-- Rows: 1 ordinary, 2 all NULL, 3 smallest, 4 largest, 5 odd.

CREATE TABLE zoo.numbers (
  id integer PRIMARY KEY,
  bool boolean,
  i2 smallint,
  i4 integer,
  i8 bigint,
  f4 real,
  f8 double precision,
  num numeric,
  num_10_2 numeric(10, 2),
  num_wide numeric(1000, 500),
  num_0 numeric(40, 0),
  money money,
  oid oid,
  bits bit(8),
  bits_1 bit,
  varbits bit varying,
  varbits_12 bit varying(12)
);
INSERT INTO zoo.numbers VALUES
  (1, true, 12, 1234, 123456789012, 1.5, 2.25, 3.140, 1234567.89, 1e300, 12345678901234567890, 1234.56, 16384, B'10101010', B'1', B'1011', B'0'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, false, -32768, -2147483648, -9223372036854775808, '-3.40282347e38', '-1.7976931348623157e308', -1e131071, -99999999.99, -1e499, -9999999999999999999999999999999999999999, '-92233720368547758.08', 0, B'00000000', B'0', B'', B''),
  (4, true, 32767, 2147483647, 9223372036854775807, '3.40282347e38', '1.7976931348623157e308', 1e131071, 99999999.99, 1e499, 9999999999999999999999999999999999999999, '92233720368547758.07', 4294967295, B'11111111', B'1', B'1', B'111111111111'),
  (5, false, 0, 0, 0, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 0, 1, B'00000001', B'0', repeat('10', 4000)::bit varying, B'000000000001'),
  (6, true, -1, -1, -1, 'Infinity', '-Infinity', 0.000, 0.00, ('0.' || repeat('0', 499) || '1')::numeric, 0, -0.01, 4294967294, B'10000000', B'1', B'0000', B'000000'),
  (7, true, 1, 1, 1, '-0', '-0', ('0.' || repeat('0', 16382) || '1')::numeric, -0.01, 0.1, 1, 0.01, 2147483648, B'01010101', B'1', B'01', B'01'),
  (8, true, 1, 1, 1, '1.4e-45', '4.94065645841246544e-324', 1.10, 1.10, 1.100, 1, 1, 1, B'01010101', B'1', B'01', B'01'),
  (9, true, 1, 1, 1, 0.1, 0.1, 1.1000, 1.1, 1.1, 1, 1, 1, B'01010101', B'1', B'01', B'01');
\if :v14
INSERT INTO zoo.numbers (id, num) VALUES (10, 'Infinity'), (11, '-Infinity');
\endif
\if :v15
CREATE TABLE zoo.numbers_15 (id integer PRIMARY KEY, neg_scale numeric(5, -2), more_scale numeric(3, 6));
INSERT INTO zoo.numbers_15 VALUES (1, 1234567, 0.000123), (2, NULL, NULL), (3, -9999900, -0.000999), (4, 0, 0);
\endif

CREATE TABLE zoo.strings (
  id integer PRIMARY KEY,
  txt text,
  vc varchar,
  vc_20 varchar(20),
  bp bpchar,
  c char,
  c_10 char(10),
  one_byte "char",
  nam name,
  bytes bytea,
  uid uuid,
  js json,
  jsb jsonb,
  tsv tsvector,
  tsq tsquery,
  xml xml,
  txt_c text COLLATE "C",
  txt_posix text COLLATE "POSIX"
);
INSERT INTO zoo.strings (id, txt, vc, vc_20, bp, c, c_10, one_byte, nam, bytes, uid, js, jsb, tsv, tsq, txt_c, txt_posix) VALUES
  (1, 'ordinary', 'ordinary', 'ordinary', 'ordinary', 'x', 'ordinary', 'x', 'ordinary', '\x00ff10', '123e4567-e89b-12d3-a456-426614174000', '{"a": 1, "b": [true, null, "x"]}', '{"a": 1, "b": [true, null, "x"]}', 'a fat cat:3A sat:2B,4C', 'fat & (cat | !dog:AB)', 'c', 'p'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '', '', '', '', '', '', '', '', '', '00000000-0000-0000-0000-000000000000', '""', '""', '', '', '', ''),
  (4, repeat('long ', 10000), repeat('ü', 5000), repeat('é', 20), repeat('b', 5000), 'é', repeat('ß', 10), '~', repeat('n', 63), decode(repeat('00ff', 5000), 'hex'), 'ffffffff-ffff-ffff-ffff-ffffffffffff', ('[' || repeat('1,', 20000) || '1]')::json, ('[' || repeat('1,', 20000) || '1]')::jsonb, (SELECT string_agg('w' || i || ':' || i % 16000 + 1, ' ') FROM generate_series(1, 2000) AS i)::tsvector, (SELECT string_agg('w' || i, '&') FROM generate_series(1, 100) AS i)::tsquery, repeat('c', 9000), repeat('p', 9000)),
  -- what COPY's text format writes specially
  (5, E'\\.', E'\\N', E'\\', E'\t\n\r\b\f\x0b\x01\x7f', E'\n', E'a\tb', E'\\', E'tab\there', '\x5c2e0a5c4e', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', E'"\\u00e4\\n\\\\"', E'"\\u00e4\\n\\\\"', E'''it''''s'':1 ''b\\\\s'':2', E'''it''''s'' <-> ''b\\\\s'':*', E'\\n', E'\\\\'),
  (6, E'\nNULL\n', 'NULL', '\N', 'trailing   ', ' ', 'blanks    ', ' ', ' lead', '\x20', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', '  {"spaces" :  1 ,"dup":1,"dup":2 }  ', '{"spaces": 1, "dup": 1, "dup": 2, "": {}}', '   ', '!!a', ' ', ''),
  (7, 'grüße 日本語 😀 ‮rtl‬ ñ ' || chr(1114111), 'é', '😀😀', '日本', '日', '日本語', 'z', '名前', convert_to('日本', 'UTF8'), 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"ключ": "值 😀"}', '{"ключ": "值 😀"}', 'größe:1 日本:2', '日本 | größe', 'ä', 'Ä'),
  (8, '{"json": "looking", [}', '(1,2)', '{a,b}', '"quoted"', '"', '''q''', '"', '"q"', '\x22', NULL, '[1e1000, -0, 1.10, 12345678901234567890123456789]', '[1e1000, -0, 1.10, 12345678901234567890123456789]', '''"q"''', '''"q"''', ',', ';'),
  (9, 'null', 'Null', 'nULL', '0', '0', '0', '0', 'null', '\x00', NULL, 'null', 'null', 'null', 'null', 'null', 'null');
UPDATE zoo.strings SET bytes = (SELECT string_agg(decode(lpad(to_hex(i), 2, '0'), 'hex'), '' ORDER BY i) FROM generate_series(0, 255) AS i) WHERE id = 8;
UPDATE zoo.strings SET jsb = (repeat('[', 500) || repeat(']', 500))::jsonb, js = (repeat('{"a":', 500) || '1' || repeat('}', 500))::json WHERE id = 9;
\if :have_xml
UPDATE zoo.strings SET xml = '<a b="c">ü &amp; <!-- x --></a>' WHERE id = 1;
UPDATE zoo.strings SET xml = xmlparse(CONTENT 'text <b/> more') WHERE id = 3;
UPDATE zoo.strings SET xml = xmlparse(DOCUMENT '<?xml version="1.0" encoding="UTF-8"?><r>日本</r>') WHERE id = 7;
\endif

CREATE TABLE zoo.times (
  id integer PRIMARY KEY,
  d date,
  t time,
  t_3 time(3),
  tz timetz,
  tz_0 timetz(0),
  ts timestamp,
  ts_0 timestamp(0),
  tstz timestamptz,
  tstz_3 timestamptz(3),
  iv interval,
  iv_2 interval(2),
  iv_ym interval year to month,
  iv_ds interval day to second(3)
);
INSERT INTO zoo.times VALUES
  (1, '2024-02-29', '12:34:56.789012', '12:34:56.789', '12:34:56.789012+05:30', '12:34:56-08', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56', '2024-02-29 12:34:56.789012+01', '2024-02-29 12:34:56.789+01', '1 year 2 mons 3 days 04:05:06.789', '1.25 seconds', '1 year 2 months', '1 day 2:3:4.567'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '4713-01-01 BC', '00:00:00', '00:00:00', '00:00:00+15:59:59', '00:00:00+15:59', '4713-01-01 00:00:00 BC', '0001-12-31 23:59:59 BC', '4713-01-02 00:00:00+00 BC', '0001-01-01 00:00:00+00', '-178000000 years', '-1.99 seconds', '-1 month', '-1 day -00:00:00.001'),
  (4, '5874897-12-31', '24:00:00', '24:00:00', '24:00:00-15:59:59', '24:00:00-15:59', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59', '294276-12-31 23:59:59.999999+00', '294276-12-31 23:59:59.999+00', '178000000 years', '596523 hours 54.77 seconds', '178000000 years', '1 day'),
  (5, 'infinity', '23:59:59.999999', '23:59:59.999', '23:59:59.999999+00', '23:59:59+00', 'infinity', '-infinity', 'infinity', '-infinity', '0', '0', '0', '0'),
  (6, '-infinity', '00:00:00.000001', '00:00:00.001', '00:00:00.000001-00:30', '00:00:00-12', '-infinity', 'infinity', '-infinity', 'infinity', '1 mon -1 day 00:00:01', '-1 day', '1 month', '-00:00:01'),
  -- a time that a changed clock has twice, and one in a zone with odd seconds
  (7, '0044-03-15 BC', '01:30', '01:30', '01:30-04:56:02', '01:30', '1883-11-18 12:03:57.5', '1999-12-31 23:59:59', '2023-10-29 02:30:00+02', '1850-01-01 00:00:00+00', '1 mon', '30 days', '12 months', '24:00:00');

CREATE TABLE zoo.shapes (
  id integer PRIMARY KEY,
  pt point,
  ln line,
  ls lseg,
  bx box,
  pth path,
  pg polygon,
  cr circle,
  host inet,
  net cidr,
  mac macaddr,
  mac8 macaddr8
);
INSERT INTO zoo.shapes VALUES
  (1, '(1.5,2.5)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>', '192.168.1.5/24', '192.168.1.0/24', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '(-1e300,1e-300)', '{0,-1,0.1}', '[(-1e300,0),(1e300,0)]', '(0.1,0.2),(-0.1,-0.2)', '((0,0))', '((0.1,0.2))', '<(0,0),0>', '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00'),
  (4, '(Infinity,-Infinity)', '{1e100,1e100,0}', '[(1,1),(1,1)]', '(0,0),(0,0)', '((0,0),(1,0),(1,1),(0,1))', '((0,0),(1,0),(1,1),(0,1))', '<(1e10,-1e10),1e10>', '255.255.255.255', '255.255.255.255/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff'),
  (5, '(NaN,0)', '{-1,0,0}', '[(0.1,0.2),(0.3,0.4)]', '(0.30000000000000004,1),(0.1,0)', '[(0,0)]', '((-0,0),(0,-0))', '<(0.1,0.2),0.3>', '2001:db8::1', '2001:db8::/32', '08-00-2b-01-02-03', '0800.2b01.0203'),
  (6, '(-0,0)', '{0,1,0}', '[(0,0),(0,0)]', '(1,1),(1,1)', '[(1,2),(3,4)]', (SELECT ('(' || string_agg('(' || i || ',' || i || ')', ',') || ')')::polygon FROM generate_series(1, 1000) AS i), '<(1,1),1>', '::ffff:1.2.3.4/128', '::/0', '08002b010203', '08002b0102030405');

-- Types that hold object names or positions in this server: with values that
-- every server has.
CREATE TABLE zoo.system_types (
  id integer PRIMARY KEY,
  rclass regclass,
  rtype regtype,
  rproc regproc,
  rprocedure regprocedure,
  roper regoper,
  roperator regoperator,
  rrole regrole,
  rnamespace regnamespace,
  rconfig regconfig,
  rdictionary regdictionary,
  xid xid,
  cid cid,
  tid tid,
  lsn pg_lsn,
  txid_snapshot txid_snapshot,
  i2vector int2vector,
  oidvector oidvector,
  cursor refcursor,
  acl aclitem
);
INSERT INTO zoo.system_types VALUES
  (1, 'pg_catalog.pg_class', 'timestamptz', 'pg_catalog.pg_backend_pid', 'pg_catalog.abs(integer)', 'pg_catalog.||/', 'pg_catalog.+(integer,integer)', 'pg_monitor', 'pg_catalog', 'pg_catalog.english', 'pg_catalog.english_stem', '1000', '5', '(42,7)', '16/B374D848', '10:20:10,14,15', '1 2 3', '1 2 4294967295', 'cursor', 'pg_monitor=r/pg_monitor'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '(0,0)', '0/0', '1:1:', '', '', '', NULL),
  (4, '4294967295', 'integer[]', '4294967295', 'pg_catalog.array_ndims(anyarray)', '4294967295', 'pg_catalog.!!(NONE,tsquery)', '4294967295', '4294967295', 'simple', 'simple', '4294967295', '4294967295', '(4294967295,65535)', 'FFFFFFFF/FFFFFFFF', '9223372036854775806:9223372036854775807:', '-32768 32767', '0', E'odd "cursor"\n', NULL);
\if :v12
CREATE TABLE zoo.jsonpaths (id integer PRIMARY KEY, path jsonpath, paths jsonpath[]);
INSERT INTO zoo.jsonpaths VALUES (1, '$.a[*] ? (@ > 1)', '{"$.b","strict $.\"x y\""}'), (2, NULL, NULL), (3, '$', '{}');
\endif
\if :v13
CREATE TABLE zoo.system_types_13 (id integer PRIMARY KEY, xid8 xid8, snapshot pg_snapshot, rcollation regcollation);
INSERT INTO zoo.system_types_13 VALUES
  (1, '1000', '10:20:10,14,15', 'pg_catalog."C"'),
  (2, NULL, NULL, NULL),
  (3, '18446744073709551615', '1:1:', '0');
\endif

-- ---- arrays -----------------------------------------------------------------

CREATE TABLE zoo.arrays (
  id integer PRIMARY KEY,
  bools boolean[],
  i2s smallint[],
  i4s integer[],
  i8s bigint[],
  f4s real[],
  f8s double precision[],
  nums numeric[],
  nums_10_2 numeric(10, 2)[],
  moneys money[],
  oids oid[],
  bits bit(3)[],
  varbits bit varying[],
  txts text[],
  vcs varchar[],
  vcs_5 varchar(5)[],
  chars char(3)[],
  one_bytes "char"[],
  names name[],
  bytes bytea[],
  uids uuid[],
  jss json[],
  jsbs jsonb[],
  tsvs tsvector[],
  tsqs tsquery[],
  ds date[],
  ts time[],
  tzs timetz[],
  tss timestamp[],
  tstzs timestamptz[],
  ivs interval[],
  pts point[],
  bxs box[],
  hosts inet[],
  nets cidr[],
  macs macaddr[],
  lsns pg_lsn[],
  xids xid[],
  classes regclass[],
  int4ranges int4range[],
  tstzranges tstzrange[]
);
INSERT INTO zoo.arrays VALUES
  (1, '{t,f}', '{1,-2}', '{1,2,3}', '{1,9223372036854775807}', '{1.5,NaN}', '{2.5,-Infinity,0.1}', '{1.10,NaN,1e100}', '{1.1,2.22}', '{1.00,-2.50}', '{1,4294967295}', '{101,010}', '{1,0101}', '{a,b}', '{x,y}', '{abcde}', '{a,bc}', '{a,b}', '{n1,n2}', '{"\\x00ff","\\x"}', '{123e4567-e89b-12d3-a456-426614174000}', '{"{\"a\": 1}","[]"}', '{"{\"a\": 1}","[]"}', '{"a b:1"}', '{"a & b"}', '{2024-02-29,infinity}', '{12:34:56}', '{12:34:56+01}', '{"2024-02-29 12:00:00",-infinity}', '{"2024-02-29 12:00:00+00"}', '{"1 day","-1 mon"}', '{"(1,2)","(0.1,0.2)"}', '{(1,1),(0,0);(2,2),(1,1)}', '{1.2.3.4,::1}', '{10.0.0.0/8}', '{08:00:2b:01:02:03}', '{0/0,1/1}', '{1,2}', '{pg_catalog.pg_class}', '{"[1,5)",empty}', '{"[2024-01-01,)"}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (4, '{NULL,t}', '{NULL}', '{{1,2},{3,4}}', '[-1:1]={1,2,3}', '{NULL,1}', '[0:1][5:6]={{1,2},{3,4}}', '{NULL,0.000}', '{NULL}', '{NULL}', '{NULL}', '{NULL,111}', '{NULL,""}', '{NULL,"NULL","null","",",","{","\"","\\"," "}', '{{a,NULL},{"",d}}', '{NULL}', '{NULL,"a  "}', '{NULL,""}', '{NULL,""}', '{NULL,"\\x5c"}', '{NULL}', '{NULL,"null"}', '{NULL,"null"}', '{NULL,""}', '{NULL,""}', '{NULL}', '{NULL,24:00:00}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL,"(NaN,0)"}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL,"(,)"}', '{NULL,empty}'),
  (5, NULL, NULL, (SELECT array_agg(i) FROM generate_series(1, 10000) AS i), '{{{1,2},{3,4}},{{5,6},{7,8}}}', NULL, NULL, (SELECT array_agg(i / 7.0) FROM generate_series(1, 1000) AS i), NULL, NULL, NULL, NULL, NULL, (SELECT array_agg(repeat('ü', i)) FROM generate_series(1, 100) AS i), NULL, NULL, NULL, NULL, NULL, ARRAY[decode(repeat('ff', 5000), 'hex')], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- ---- ranges and user-defined types --------------------------------------------

CREATE TABLE zoo.ranges (
  id integer PRIMARY KEY,
  i4 int4range,
  i8 int8range,
  num numrange,
  ts tsrange,
  tstz tstzrange,
  d daterange,
  txt zoo_types.textrange,
  f zoo_types.floatrange,
  m zoo_types.moodrange,
  nums numrange[]
);
INSERT INTO zoo.ranges VALUES
  (1, '[1,5)', '[1,9223372036854775807)', '[1.10,2.200]', '[2024-01-01 00:00,2024-01-02 12:00:00.5)', '(2024-01-01 00:00+00,2024-01-02 00:00+00]', '[2024-01-01,2024-02-01)', '[a,b)', '[0.5,1.25]', '[sad,happy]', '{"[1,2]","(,3.0)",empty,NULL}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}'),
  (4, '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '{"(,)"}'),
  (5, '(,2147483647)', '[-9223372036854775808,)', '[NaN,NaN]', '[-infinity,infinity]', '(-infinity,)', '[-infinity,infinity)', '["a,b","c""d\\e")', '[-Infinity,Infinity]', '(with space,)', NULL),
  (6, '[-2147483648,-2147483647)', '[0,0]', '(0,1e100)', '[4713-01-01 00:00 BC,294276-12-31 23:59:59.999999]', '["0001-01-01 00:00:00+00 BC","2024-01-01 00:00:00+00")', '[4713-01-01 BC,5874897-12-31)', '["","")', '(0,1)', '[ok,ok]', NULL);
\if :v14
CREATE TABLE zoo.multiranges (
  id integer PRIMARY KEY,
  i4 int4multirange,
  i8 int8multirange,
  num nummultirange,
  ts tsmultirange,
  tstz tstzmultirange,
  d datemultirange,
  txt zoo_types.textmultirange,
  nums nummultirange[]
);
INSERT INTO zoo.multiranges VALUES
  (1, '{[1,5),[7,9)}', '{[1,2)}', '{[1.1,2.2],(3,4)}', '{[2024-01-01 00:00,2024-01-02 00:00)}', '{[2024-01-01 00:00+00,2024-01-02 00:00+00)}', '{[2024-01-01,2024-02-01),[2025-01-01,)}', '{[a,b),[c,d)}', '{"{[1,2]}","{}",NULL}'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
  (4, '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', '{(,)}', NULL);
\endif

CREATE TABLE zoo.user_types (
  id integer PRIMARY KEY,
  mood zoo_types.mood,
  odd zoo_types."Odd ""Enum""",
  moods zoo_types.mood[],
  pos zoo_types.positive,
  small zoo_types.small_positive,
  req zoo_types.required DEFAULT 'default',
  code zoo_types.code,
  tags zoo_types.tags,
  exact zoo_types.exact,
  mood_domain zoo_types.mood_domain,
  poss zoo_types.positive[],
  pair zoo_types.pair,
  pairs zoo_types.pair[],
  nested zoo_types.nested,
  nesteds zoo_types.nested[]
);
INSERT INTO zoo.user_types VALUES
  (1, 'happy', 'z', '{sad,"a,b"}', 1, 999, 'text', 'ABC', '{a,b}', 1.5, 'ok', '{1,2}', '(1,x)', '{"(1,x)","(2,\"y z\")"}', ROW(ROW(1, 'x'), 'ok', 5, ARRAY[ROW(2, 'y')::zoo_types.pair], '2024-01-01')::zoo_types.nested, ARRAY[ROW(NULL, NULL, NULL, NULL, NULL)::zoo_types.nested]),
  (2, NULL, NULL, NULL, NULL, NULL, 'needed', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '', 'a', '{}', 2147483647, 1, '', '', '{}', -99999999.9999, 'a,b', '{}', '(,)', '{}', '(,,,,)', '{}'),
  (4, 'it''s', 'z', ARRAY['it''s', 'Ünïcode', '"quoted"', '', NULL]::zoo_types.mood[], 5, 5, E'tab\t"quote" \\ back', 'A', ARRAY['"', E'\\', ',', NULL, '']::text[], 0, 'it''s', '{NULL,7}', ROW(NULL, E'a"b,c\\d(e)')::zoo_types.pair, ARRAY[ROW(1, '"'), ROW(NULL, NULL), NULL]::zoo_types.pair[], ROW(ROW(NULL, ''), '"quoted"', NULL, '{}', 'infinity')::zoo_types.nested, NULL),
  (5, 'with space', 'a', '{{ok,happy},{sad,""}}', 7, 7, 'x', 'ZZZZZZZZ', '{{a,b},{c,d}}', 0.0001, 'Ünïcode', NULL, ROW(-2147483648, repeat('long', 5000))::zoo_types.pair, NULL, NULL, NULL);

-- Columns to be taken as text although the target has the type.
CREATE TABLE zoo.as_text (id integer PRIMARY KEY, mood zoo_types.mood, cash money, padded char(6), doc jsonb);
INSERT INTO zoo.as_text VALUES (1, 'happy', 12.5, 'ab', '{"a": 1}'), (2, NULL, NULL, NULL, NULL), (3, '', -0.01, '', '[]');

\if :have_hstore
CREATE TABLE zoo.hstores (id integer PRIMARY KEY, h zoo_types.hstore, hs zoo_types.hstore[]);
INSERT INTO zoo.hstores VALUES (1, 'a=>1, "b c"=>NULL, ""=>"\"q\""', '{"a=>1",""}'), (2, NULL, NULL), (3, '', '{}');
\endif
\if :have_citext
CREATE TABLE zoo.citexts (name zoo_types.citext PRIMARY KEY, n integer, names zoo_types.citext[]);
INSERT INTO zoo.citexts VALUES ('Ann', 1, '{A,a}'), ('BOB', 2, NULL), ('', 3, '{}'), ('ÄÖ', 4, '{ÄÖ}');
\endif

-- ---- big values ---------------------------------------------------------------

CREATE TABLE zoo.big (
  id integer PRIMARY KEY,
  n integer,
  txt text,
  bytes bytea,
  js jsonb,
  ext text
);
ALTER TABLE zoo.big ALTER COLUMN ext SET STORAGE EXTERNAL;
INSERT INTO zoo.big
SELECT 1, 1, string_agg(md5(i::text), ''), decode(string_agg(md5(i::text), ''), 'hex'), jsonb_agg(i) FILTER (WHERE i <= 100000), repeat('e', 5000)
  FROM generate_series(1, 524288) AS i;   -- 16 MB of text, 8 MB of bytes
INSERT INTO zoo.big VALUES
  (2, 2, repeat('compressible ', 200000), decode(repeat('00', 1000000), 'hex'), '{}', NULL),
  (3, 3, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) AS i), NULL, (SELECT jsonb_object_agg(i::text, md5(i::text)) FROM generate_series(1, 500) AS i), repeat('x', 3000)),
  (4, 4, repeat('t', 2030), '\x', '[]', repeat('y', 2030)),
  (5, 5, NULL, NULL, NULL, NULL);

-- The same with everything of the old row in the stream.
CREATE TABLE zoo.big_full (id integer PRIMARY KEY, n integer, txt text, js jsonb);
ALTER TABLE zoo.big_full REPLICA IDENTITY FULL;
INSERT INTO zoo.big_full SELECT g, g, (SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 300) AS i), (SELECT jsonb_agg(md5((g + i)::text)) FROM generate_series(1, 300) AS i) FROM generate_series(1, 4) AS g;
CREATE TABLE zoo.big_keyless (n integer, txt text);
ALTER TABLE zoo.big_keyless REPLICA IDENTITY FULL;
INSERT INTO zoo.big_keyless SELECT n, txt FROM zoo.big_full UNION ALL SELECT n, txt FROM zoo.big_full WHERE id <= 2;

-- ---- names --------------------------------------------------------------------

CREATE TABLE zoo."select" ("order" integer PRIMARY KEY, "from" text, "user" text, "table" integer, "all" text, "ctid_" text, "xmin_" text);
INSERT INTO zoo."select" VALUES (1, 'from', 'user', 1, 'all', 'c', 'x'), (2, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE "Zoo ""2"", é"."Table ""T"" 日本.x" (
  "Key ""K""" integer,
  "col with space" text,
  "ключ" text,
  "a.b" text,
  "x'y" text,
  "back\slash" text,
  "comma,paren(" text,
  "$1" text,
  "%s%n" text,
  "UPPER" text,
  "upper" text,
  "ααααααααααααααααααααααααααααααα" text,
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" text,
  PRIMARY KEY ("Key ""K""", "ключ")
);
INSERT INTO "Zoo ""2"", é"."Table ""T"" 日本.x" VALUES
  (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'),
  (1, NULL, 'B', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (2, '''', '"', '.', '''', '\', ',(', '$1', '%s', 'U', 'u', 'α', 'a');
CREATE TABLE zoo."bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" (id integer PRIMARY KEY, v text);
INSERT INTO zoo."bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" VALUES (1, 'a'), (2, 'b');
-- one name in two schemas
CREATE TABLE "Zoo ""2"", é".strings (id integer PRIMARY KEY, v text);
INSERT INTO "Zoo ""2"", é".strings VALUES (1, 'other');

-- ---- columns ------------------------------------------------------------------

-- Dropped columns, also before and inside the key, and added ones.
CREATE TABLE zoo.dropped (gone_1 text, a text, gone_2 integer, id integer, gone_3 text, b text, PRIMARY KEY (id));
INSERT INTO zoo.dropped VALUES ('g', 'a1', 1, 1, 'g', 'b1'), ('g', 'a2', 2, 2, 'g', 'b2');
ALTER TABLE zoo.dropped DROP COLUMN gone_1, DROP COLUMN gone_2, DROP COLUMN gone_3;
ALTER TABLE zoo.dropped ADD COLUMN added integer DEFAULT 7, ADD COLUMN added_null text, ADD COLUMN a2 text NOT NULL DEFAULT 'fast';
INSERT INTO zoo.dropped VALUES ('a3', 3, 'b3', 8, 'n', 'x');
CREATE TABLE zoo.dropped_full (a text, gone text, b integer, gone_too integer);
INSERT INTO zoo.dropped_full VALUES ('x', 'y', 1, 2), ('x', 'z', 1, 3), ('q', NULL, NULL, NULL);
ALTER TABLE zoo.dropped_full DROP COLUMN gone, DROP COLUMN gone_too, ADD COLUMN c text DEFAULT 'later';
ALTER TABLE zoo.dropped_full REPLICA IDENTITY FULL;

CREATE TABLE zoo.identities (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  by_default bigint GENERATED BY DEFAULT AS IDENTITY,
  ser serial,
  def timestamptz DEFAULT now(),
  v text DEFAULT 'default'
);
INSERT INTO zoo.identities (v) VALUES ('a'), ('b'), (NULL);
\if :v12
CREATE TABLE zoo.generated (id integer PRIMARY KEY, a integer, doubled integer GENERATED ALWAYS AS (a * 2) STORED, b text, upper_b text GENERATED ALWAYS AS (upper(b)) STORED);
INSERT INTO zoo.generated (id, a, b) VALUES (1, 1, 'x'), (2, NULL, NULL), (3, -5, 'ü');
\endif
\if :v18
CREATE TABLE zoo.generated_virtual (id integer PRIMARY KEY, a integer, doubled integer GENERATED ALWAYS AS (a * 2) VIRTUAL);
INSERT INTO zoo.generated_virtual (id, a) VALUES (1, 1), (2, NULL);
\endif

-- As many columns as a table can have.
DO $$
BEGIN
  EXECUTE 'CREATE TABLE zoo.wide (id integer PRIMARY KEY, '
       || (SELECT string_agg('c' || i || CASE i % 3 WHEN 0 THEN ' boolean' WHEN 1 THEN ' smallint' ELSE ' text' END, ', ' ORDER BY i) FROM generate_series(1, 1599) AS i) || ')';
  EXECUTE 'INSERT INTO zoo.wide (id) VALUES (1)';
  EXECUTE 'INSERT INTO zoo.wide SELECT 2, '
       || (SELECT string_agg(CASE i % 3 WHEN 0 THEN 'true' WHEN 1 THEN i::text ELSE '''t''' END, ', ' ORDER BY i) FROM generate_series(1, 1599) AS i);
  EXECUTE 'INSERT INTO zoo.wide (id, c1, c1598, c1599) VALUES (3, 1, 1598, true)';
END
$$;
CREATE TABLE zoo.only_key (id integer PRIMARY KEY);
INSERT INTO zoo.only_key SELECT generate_series(1, 10);
CREATE TABLE zoo.empty (id integer PRIMARY KEY, v text);

-- ---- keys and replica identity --------------------------------------------------

CREATE TABLE zoo.multi_key (v text, b text COLLATE "C", c date, a integer, PRIMARY KEY (a, c, b));
INSERT INTO zoo.multi_key SELECT 'v' || i, 'b' || i % 3, date '2024-01-01' + i % 5, i FROM generate_series(1, 30) AS i;
-- values that are equal to their index and yet not the same
CREATE TABLE zoo.numeric_key (k numeric PRIMARY KEY, v text);
INSERT INTO zoo.numeric_key VALUES (1.0, 'a'), (2.00, 'b'), (-3, 'c'), ('NaN', 'd'), (0.000, 'e');
CREATE TABLE zoo.float_key (k double precision PRIMARY KEY, v text);
INSERT INTO zoo.float_key VALUES ('-0', 'zero'), ('NaN', 'nan'), ('Infinity', 'inf'), ('-Infinity', '-inf'), (0.1, 'tenth');
CREATE TABLE zoo.text_key (k text PRIMARY KEY, v text);
INSERT INTO zoo.text_key VALUES ('', 'empty'), (' ', 'blank'), (E'\t\n\\', 'escapes'), ('ä', 'composed'), (E'a\u0308', 'decomposed'), ((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 80) AS i), 'long');
CREATE TABLE zoo.char_key (k char(5) PRIMARY KEY, v text);
INSERT INTO zoo.char_key VALUES ('a', '1'), ('b    ', '2'), ('', '3');
CREATE TABLE zoo.odd_key (u uuid, m zoo_types.mood, r int4range, i inet, v text, PRIMARY KEY (u, m, r, i));
INSERT INTO zoo.odd_key VALUES ('123e4567-e89b-12d3-a456-426614174000', 'ok', '[1,5)', '1.2.3.4', 'a'), ('123e4567-e89b-12d3-a456-426614174000', 'sad', 'empty', '::1', 'b');
CREATE TABLE zoo.array_key (k integer[] PRIMARY KEY, v jsonb);
INSERT INTO zoo.array_key VALUES ('{}', '1'), ('{1,2}', '2'), ('{{1,2}}', '3'), ('[0:1]={1,2}', '4'), ('{NULL}', '5');

CREATE TABLE zoo.identity_index (a integer NOT NULL, b text NOT NULL, v text);
CREATE UNIQUE INDEX identity_index_key ON zoo.identity_index (b, a);
ALTER TABLE zoo.identity_index REPLICA IDENTITY USING INDEX identity_index_key;
INSERT INTO zoo.identity_index SELECT i, 'b' || i, 'v' FROM generate_series(1, 10) AS i;
CREATE TABLE zoo.identity_not_primary (id integer PRIMARY KEY, other text NOT NULL UNIQUE, v text);
ALTER TABLE zoo.identity_not_primary REPLICA IDENTITY USING INDEX identity_not_primary_other_key;
INSERT INTO zoo.identity_not_primary SELECT i, 'o' || i, 'v' FROM generate_series(1, 10) AS i;
-- other unique keys, checked at once, at the end, or only partly
CREATE TABLE zoo.uniques (id integer PRIMARY KEY, s integer UNIQUE, d integer UNIQUE DEFERRABLE INITIALLY DEFERRED, p integer, EXCLUDE (p WITH =) WHERE (p > 0));
CREATE UNIQUE INDEX ON zoo.uniques (p) WHERE p > 5;
INSERT INTO zoo.uniques SELECT i, i, i, i FROM generate_series(1, 10) AS i;
CREATE TABLE zoo.full_keyed (id integer PRIMARY KEY, a text, b numeric);
ALTER TABLE zoo.full_keyed REPLICA IDENTITY FULL;
INSERT INTO zoo.full_keyed SELECT i, 'a' || i, i / 3.0 FROM generate_series(1, 20) AS i;
CREATE TABLE zoo.keyless (a integer, b text, c numeric);
ALTER TABLE zoo.keyless REPLICA IDENTITY FULL;
INSERT INTO zoo.keyless SELECT i % 4, 'b' || i % 3, i % 2 FROM generate_series(1, 40) AS i;
INSERT INTO zoo.keyless VALUES (NULL, NULL, NULL), (NULL, NULL, NULL), (1, '', 1.0), (1, '', 1.00), (1, '', 1.000), (1, '', 1.00);
-- no key, and types that know no equality
CREATE TABLE zoo.keyless_odd (j json, p point, x xid, f double precision, t text);
ALTER TABLE zoo.keyless_odd REPLICA IDENTITY FULL;
INSERT INTO zoo.keyless_odd VALUES ('{"a":1}', '(1,2)', '5', 0, 'x'), ('{"a": 1}', '(1,2)', '5', '-0', 'x'), ('{"a":1}', '(1,2)', '5', 0, 'x'), (NULL, NULL, NULL, 'NaN', NULL), (NULL, NULL, NULL, 'NaN', NULL);
CREATE TABLE zoo.unlogged (id integer PRIMARY KEY, v text);
ALTER TABLE zoo.unlogged SET UNLOGGED;
INSERT INTO zoo.unlogged VALUES (1, 'not published');
CREATE TABLE zoo.insert_only (a integer, b text);
INSERT INTO zoo.insert_only VALUES (1, 'x'), (1, 'x');
CREATE TABLE zoo.parents (id integer PRIMARY KEY, v text);
CREATE TABLE zoo.children (id integer PRIMARY KEY, parent integer REFERENCES zoo.parents ON DELETE CASCADE ON UPDATE CASCADE, CHECK (id > 0));
INSERT INTO zoo.parents SELECT i, 'p' || i FROM generate_series(1, 10) AS i;
INSERT INTO zoo.children SELECT i, i % 10 + 1 FROM generate_series(1, 50) AS i;
CREATE TABLE zoo.triggered (id integer PRIMARY KEY, v text, n integer);
CREATE FUNCTION zoo.count_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := coalesce(NEW.n, 0) + 1; RETURN NEW; END';
CREATE TRIGGER count_up BEFORE INSERT OR UPDATE ON zoo.triggered FOR EACH ROW EXECUTE PROCEDURE zoo.count_up();
INSERT INTO zoo.triggered VALUES (1, 'a', 0), (2, 'b', 0);
CREATE TABLE zoo.secured (id integer PRIMARY KEY, v text);
INSERT INTO zoo.secured VALUES (1, 'a'), (2, 'b');
CREATE TABLE zoo.truncated_a (id serial PRIMARY KEY, v text);
CREATE TABLE zoo.truncated_b (id serial PRIMARY KEY, a integer REFERENCES zoo.truncated_a, v text);
INSERT INTO zoo.truncated_a (v) SELECT 'a' || i FROM generate_series(1, 20) AS i;
INSERT INTO zoo.truncated_b (a, v) SELECT i, 'b' || i FROM generate_series(1, 20) AS i;
CREATE TABLE zoo.bulk (id integer PRIMARY KEY, a integer, t text) WITH (fillfactor = 50);
INSERT INTO zoo.bulk SELECT i, i % 100, md5(i::text) FROM generate_series(1, 20000) AS i;
DELETE FROM zoo.bulk WHERE id % 10 = 0;

-- ---- inheritance and partitions ---------------------------------------------------

CREATE TABLE zoo.ancestor (id integer PRIMARY KEY, v text);
CREATE TABLE zoo.descendant (extra text, PRIMARY KEY (id)) INHERITS (zoo.ancestor);
INSERT INTO zoo.ancestor VALUES (1, 'a'), (2, 'b');
INSERT INTO zoo.descendant VALUES (1, 'a', 'child'), (3, 'c', 'child');

CREATE TABLE zoo.parted (id integer NOT NULL, kind text NOT NULL, v text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE zoo.parted_x PARTITION OF zoo.parted FOR VALUES IN ('x');
CREATE TABLE zoo.parted_y (gone text, v text, kind text NOT NULL, id integer NOT NULL, PRIMARY KEY (id, kind));
ALTER TABLE zoo.parted_y DROP COLUMN gone;
ALTER TABLE zoo.parted ATTACH PARTITION zoo.parted_y FOR VALUES IN ('y');
CREATE TABLE zoo.parted_default PARTITION OF zoo.parted DEFAULT PARTITION BY RANGE (id);
CREATE TABLE zoo.parted_default_low PARTITION OF zoo.parted_default FOR VALUES FROM (MINVALUE) TO (50);
CREATE TABLE zoo.parted_default_high PARTITION OF zoo.parted_default FOR VALUES FROM (50) TO (MAXVALUE);
INSERT INTO zoo.parted SELECT i, CASE i % 4 WHEN 0 THEN 'x' WHEN 1 THEN 'y' ELSE 'z' || i % 5 END, 'v' || i FROM generate_series(1, 100) AS i;

CREATE TABLE zoo.rooted (id integer NOT NULL, at date NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE zoo.rooted_old (v text, gone integer, at date NOT NULL, id integer NOT NULL, PRIMARY KEY (id, at));
ALTER TABLE zoo.rooted_old DROP COLUMN gone;
ALTER TABLE zoo.rooted ATTACH PARTITION zoo.rooted_old FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE zoo.rooted_2024 PARTITION OF zoo.rooted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (id);
CREATE TABLE "Zoo ""2"", é"."Part 0" PARTITION OF zoo.rooted_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Zoo ""2"", é"."Part 1" PARTITION OF zoo.rooted_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE zoo.rooted_empty PARTITION OF zoo.rooted FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
INSERT INTO zoo.rooted SELECT i, date '2023-10-01' + i * 3, 'v' || i FROM generate_series(1, 100) AS i;

-- ---- row filter and column list ------------------------------------------------------

CREATE TABLE zoo.filtered (id integer, region text, secret text, v text, PRIMARY KEY (id, region));
INSERT INTO zoo.filtered SELECT i, CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE 'o''"x' END, 'secret', 'v' || i FROM generate_series(1, 60) AS i;

-- ---- publications ---------------------------------------------------------------------

DO $$
DECLARE
  tables text;
BEGIN
  SELECT string_agg(format('ONLY %s', c.oid::regclass), ', ' ORDER BY c.oid)
    INTO tables
    FROM pg_class AS c
   WHERE c.relnamespace IN ('zoo'::regnamespace, '"Zoo ""2"", é"'::regnamespace)
     AND c.relkind = 'r' AND c.relpersistence = 'p'
     AND c.relname NOT IN ('insert_only', 'filtered')
     AND NOT EXISTS (SELECT FROM pg_inherits AS i
                      WHERE i.inhrelid = c.oid AND i.inhparent IN ('zoo.rooted'::regclass, 'zoo.rooted_2024'::regclass));
  EXECUTE 'CREATE PUBLICATION zoo FOR TABLE ' || tables;
END
$$;
CREATE PUBLICATION zoo_insert_only FOR TABLE zoo.insert_only;
\if :v13
CREATE PUBLICATION zoo_root FOR TABLE zoo.rooted WITH (publish_via_partition_root = true);
\endif
\if :v15
CREATE PUBLICATION zoo_filtered FOR TABLE zoo.filtered (id, region, v) WHERE (region IN ('eu', 'o''"x'));
\endif

-- What a source on a publication is created with: each table into a schema of
-- the same name (names repeat between schemas), and the columns that can only
-- be taken as text (names of this server's objects) or are meant to be.
CREATE FUNCTION zoo.source_arguments(publication name, OUT tables text[], OUT text_columns text[])
LANGUAGE sql STABLE AS $$
  SELECT array_agg(DISTINCT format('%1$I.%2$I AS %1$I.%2$I', p.schemaname, p.tablename)),
         array_agg(format('%I.%I.%I', p.schemaname, p.tablename, a.attname))
           FILTER (WHERE p.tablename = 'as_text' AND a.attname <> 'id'
                      OR t.typname ~ '^_?reg' AND t.typnamespace = 'pg_catalog'::regnamespace)
    FROM pg_publication_tables AS p
    JOIN pg_attribute AS a ON a.attrelid = format('%I.%I', p.schemaname, p.tablename)::regclass AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
   WHERE p.pubname = publication
$$;
ANALYZE;
