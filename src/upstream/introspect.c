/*-------------------------------------------------------------------------
 *
 * introspect.c
 *	  What the upstream has: publication, tables, columns, keys.
 *
 * NOTES
 *	  Five queries, whatever the number of tables: tables, columns, keys,
 *	  leaf partitions, identities.  They run in one REPEATABLE READ
 *	  transaction: the caller's, if the session is in one (an imported
 *	  snapshot), else one of our own.
 *
 *	  Every name in a query is qualified and every operator too: the search
 *	  path of the session is empty, and nothing in a schema of users can take
 *	  part.
 *
 *	  Which columns identify a row: those of the index that the replica
 *	  identity names (or of the primary key for DEFAULT and FULL), as long as
 *	  the index is immediate, valid, whole and plain and every column is NOT
 *	  NULL and published.  An index that fails one of these cannot find a row
 *	  from what the stream carries.
 *
 *	  A partitioned table published through its root is described by the root
 *	  in the stream, while the WAL is written by the rules of the leaf.  Where
 *	  a leaf logs less than the root's identity promises, the old rows that
 *	  arrive cannot be trusted, so those leaves are listed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "upstream/session_private.h"
#include "utils/builtins.h"

#define CATALOG_TIMEOUT_MS 120000

#define EQ " OPERATOR(pg_catalog.=) "

/* ---------- publication ---------- */

/*
 * The publication of that name, or one with exists false.  options is made of
 * fixed keys, so that it stays equal when the upstream is upgraded.
 */
MziPublication
mzi_introspect_publication(MziSession *sql, const char *name)
{
	int			version = mzi_session_version(sql);
	MziPublication publication = {0};
	const char *params[1] = {name};
	MziResult  *result;
	char	   *question;

	question = psprintf("SELECT p.oid, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete,"
						" p.pubtruncate, %s, pg_catalog.jsonb_build_object("
						"'all_tables', p.puballtables, 'insert', p.pubinsert,"
						" 'update', p.pubupdate, 'delete', p.pubdelete,"
						" 'truncate', p.pubtruncate, 'via_root', %s, 'generated', %s)"
						" FROM pg_catalog.pg_publication p"
	/* as text: a name that is too long would be cut */
						" WHERE p.pubname::pg_catalog.text" EQ "$1",
						version >= 130000 ? "p.pubviaroot" : "false",
						version >= 130000 ? "p.pubviaroot" : "false",
						version >= 180000 ? "p.pubgencols::pg_catalog.text" : "'n'::pg_catalog.text");
	result = mzi_session_query_params(sql, question, 1, params, CATALOG_TIMEOUT_MS);
	if (mzi_result_rows(result) > 0)
	{
		publication.exists = true;
		publication.oid = (Oid) mzi_result_int(result, 0, 0);
		publication.all_tables = mzi_result_bool(result, 0, 1);
		publication.inserts = mzi_result_bool(result, 0, 2);
		publication.updates = mzi_result_bool(result, 0, 3);
		publication.deletes = mzi_result_bool(result, 0, 4);
		publication.truncates = mzi_result_bool(result, 0, 5);
		publication.via_root = mzi_result_bool(result, 0, 6);
		publication.options = mzi_result_dup(result, 0, 7);
	}
	mzi_result_free(result);
	pfree(question);
	return publication;
}

/* ---------- helpers ---------- */

/*
 * Reads an array of names as the upstream prints it ({a,"b,c"}) into a list
 * of palloc'd strings.  Names cannot be NULL.
 */
static List *
read_name_array(const char *array)
{
	List	   *names = NIL;
	const char *c = array;

	if (*c++ != '{')
		ereport(ERROR,
				(errcode(ERRCODE_MZI_PROTOCOL_VIOLATION),
				 errmsg("the upstream server answered something else than an array of names")));
	while (*c != '\0' && *c != '}')
	{
		StringInfoData name;
		bool		quoted = false;

		initStringInfo(&name);
		for (; *c != '\0' && (quoted || (*c != ',' && *c != '}')); c++)
		{
			if (*c == '"')
				quoted = !quoted;
			else if (*c == '\\' && c[1] != '\0')
				appendStringInfoChar(&name, *++c);
			else
				appendStringInfoChar(&name, *c);
		}
		names = lappend(names, name.data);
		if (*c == ',')
			c++;
	}
	return names;
}

/* Oids as the text of an array, for a query's parameter. */
char *
mzi_oid_array(List *oids)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	foreach(cell, oids)
		appendStringInfo(&out, "%c%u", out.len == 0 ? '{' : ',', lfirst_oid(cell));
	appendStringInfoString(&out, out.len == 0 ? "{}" : "}");
	return out.data;
}

/*
 * The table with that oid in a list sorted by oid, or NULL.  *position is
 * where the search for a smaller oid ended: rows come in the same order.
 */
static MziUpstreamTable *
next_table(List *tables, int *position, Oid oid)
{
	while (*position < list_length(tables))
	{
		MziUpstreamTable *table = list_nth(tables, *position);

		if (table->oid == oid)
			return table;
		if (table->oid > oid)
			return NULL;
		(*position)++;
	}
	return NULL;
}

/* Runs a query whose one parameter is an array of oids. */
static MziResult *
query_by_oids(MziSession *sql, const char *question, const char *oids)
{
	const char *params[1] = {oids};

	return mzi_session_query_params(sql, question, 1, params, CATALOG_TIMEOUT_MS);
}

/* ---------- tables ---------- */

/*
 * Tables of the publication, by oid.  $1 publication, $2 oids or NULL.  From
 * 15 on the publication also tells columns and row filter.
 */
static List *
read_tables(MziSession *sql, const char *publication, List *oids)
{
	int			version = mzi_session_version(sql);
	const char *params[2] = {publication, oids == NIL ? NULL : mzi_oid_array(oids)};
	List	   *tables = NIL;
	MziResult  *result;
	char	   *question;

	question = psprintf("SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,"
						" CASE WHEN c.relpages" EQ "0 AND c.reltuples OPERATOR(pg_catalog.<=) 0 THEN -1 ELSE c.reltuples END,"
						" pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./)"
						" pg_catalog.current_setting('block_size')::pg_catalog.int8,"
						" %s,"
						" pg_catalog.has_table_privilege(c.oid, 'SELECT'),"
						" pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
						" pg_catalog.row_security_active(c.oid), %s"
						" FROM pg_catalog.pg_publication p"
						" CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname::pg_catalog.text) g%s"
						" JOIN pg_catalog.pg_class c ON c.oid" EQ "g.relid"
						" JOIN pg_catalog.pg_namespace n ON n.oid" EQ "c.relnamespace"
						" WHERE p.pubname" EQ "$1"
						" AND ($2::pg_catalog.oid[] IS NULL OR c.oid" EQ "ANY ($2::pg_catalog.oid[]))"
						" ORDER BY c.oid",
						version >= 150000 ? "pg_catalog.pg_get_expr(g.qual, g.relid)" : "NULL",
						mzi_membership_question(version),
						version >= 150000 ? "" : "(relid)");
	result = mzi_session_query_params(sql, question, 2, params, CATALOG_TIMEOUT_MS);
	for (int row = 0; row < mzi_result_rows(result); row++)
	{
		MziUpstreamTable *table = palloc0(sizeof(MziUpstreamTable));

		table->oid = (Oid) mzi_result_int(result, row, 0);
		table->schema = mzi_result_dup(result, row, 1);
		table->name = mzi_result_dup(result, row, 2);
		table->kind = mzi_result_text(result, row, 3)[0];
		table->persistence = mzi_result_text(result, row, 4)[0];
		table->replica_identity = mzi_result_text(result, row, 5)[0];
		table->row_estimate = strtod(mzi_result_text(result, row, 6), NULL);
		table->pages = mzi_result_int(result, row, 7);
		table->row_filter = mzi_result_dup(result, row, 8);
		table->can_select = mzi_result_bool(result, row, 9);
		table->can_use_schema = mzi_result_bool(result, row, 10);
		table->row_security = mzi_result_bool(result, row, 11);
		table->memberships = mzi_membership_read(mzi_result_text(result, row, 12));
		tables = lappend(tables, table);
	}
	mzi_result_free(result);
	pfree(question);
	return tables;
}

/* The oids of tables, in their order. */
static List *
table_oids(List *tables)
{
	List	   *oids = NIL;
	ListCell   *cell;

	foreach(cell, tables)
		oids = lappend_oid(oids, ((MziUpstreamTable *) lfirst(cell))->oid);
	return oids;
}

/* ---------- columns ---------- */

/*
 * Fills the columns of all tables, and can_select for tables on whose
 * published columns alone we have the right (a column that was dropped after
 * our snapshot has no rights).  A NOT NULL that is still to be validated (18)
 * promises nothing about the rows that are there.
 *
 * Returns the tables that are still there.  What the publication holds is asked
 * of a function that sees the catalog as it is now, while the tables and columns
 * are those of our snapshot: a table that was dropped, or taken out, in between
 * has columns and no entry, and is as one that was not found.
 */
static List *
read_columns(MziSession *sql, const char *publication, List *tables, const char *oids)
{
	int			version = mzi_session_version(sql);
	const char *params[2] = {publication, oids};
	int			position = 0;
	List	   *gone = NIL;
	MziResult  *result;
	char	   *question;

	question = psprintf("SELECT a.attrelid, a.attname, a.attnum, a.atttypid,"
						" pg_catalog.format_type(a.atttypid, a.atttypmod),"
						" tn.nspname, t.typname, t.typtype, a.atttypmod, a.attnotnull%s, %s, %s,"
						" coalesce(pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), true), %s"
						" FROM pg_catalog.pg_attribute a"
						" JOIN pg_catalog.pg_type t ON t.oid" EQ "a.atttypid"
						" JOIN pg_catalog.pg_namespace tn ON tn.oid" EQ "t.typnamespace"
						" JOIN pg_catalog.pg_publication p ON p.pubname" EQ "$1"
						"%s"
						" WHERE a.attrelid" EQ "ANY ($2::pg_catalog.oid[])"
						" AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
						" ORDER BY a.attrelid, a.attnum",
						version >= 180000 ?
						" AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k"
						" WHERE k.conrelid" EQ "a.attrelid AND k.contype" EQ "'n'"
						" AND k.conkey" EQ "ARRAY[a.attnum] AND NOT k.convalidated)" : "",
						version >= 120000 ? "a.attgenerated" : "''",
						version >= 150000 ? "CASE WHEN g.attrs IS NULL THEN a.attgenerated" EQ "''"
						" ELSE a.attnum" EQ "ANY (g.attrs) END" :
						version >= 120000 ? "a.attgenerated" EQ "''" : "true",
						version >= 150000 ? "g.relid IS NOT NULL" : "true",
						version >= 150000 ?
						" LEFT JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname::pg_catalog.text) g"
						" ON g.relid" EQ "a.attrelid" : "");
	result = mzi_session_query_params(sql, question, 2, params, CATALOG_TIMEOUT_MS);
	for (int row = 0; row < mzi_result_rows(result); row++)
	{
		MziUpstreamTable *table = next_table(tables, &position,
											 (Oid) mzi_result_int(result, row, 0));
		MziUpstreamColumn *column;

		if (table == NULL)
			continue;
		if (!mzi_result_bool(result, row, 13))
		{
			gone = list_append_unique_ptr(gone, table);
			continue;
		}
		column = palloc0(sizeof(MziUpstreamColumn));
		column->name = mzi_result_dup(result, row, 1);
		column->attnum = (int16) mzi_result_int(result, row, 2);
		column->type = (Oid) mzi_result_int(result, row, 3);
		column->type_name = mzi_result_dup(result, row, 4);
		column->type_schema = mzi_result_dup(result, row, 5);
		column->type_base_name = mzi_result_dup(result, row, 6);
		column->type_kind = mzi_result_text(result, row, 7)[0];
		column->typmod = (int32) mzi_result_int(result, row, 8);
		column->not_null = mzi_result_bool(result, row, 9);
		column->generated = mzi_result_text(result, row, 10)[0];
		column->published = mzi_result_bool(result, row, 11);
		/* rights on each published column are as good as on the table */
		if (table->columns == NIL && !table->can_select)
			table->can_select = true;
		if (column->published && !mzi_result_bool(result, row, 12))
			table->can_select = false;
		table->columns = lappend(table->columns, column);
	}
	mzi_result_free(result);
	pfree(question);
	return list_difference_ptr(tables, gone);
}

/* ---------- keys ---------- */

/* Is every name in the list that of a published column? */
static bool
all_published(const MziUpstreamTable *table, List *names)
{
	ListCell   *name;
	ListCell   *cell;

	foreach(name, names)
	{
		bool		found = false;

		foreach(cell, table->columns)
		{
			const MziUpstreamColumn *column = lfirst(cell);

			if (column->published && strcmp(column->name, lfirst(name)) == 0)
				found = true;
		}
		if (!found)
			return false;
	}
	return true;
}

/*
 * Fills the keys: primary keys, and unique constraints under which NULLs
 * cannot repeat, over published columns.  Temporal keys (18) are no keys in
 * that sense.
 */
static void
read_keys(MziSession *sql, List *tables, const char *oids)
{
	int			version = mzi_session_version(sql);
	int			position = 0;
	MziResult  *result;
	char	   *question;

	question = psprintf("SELECT k.conrelid, k.oid, k.conname, k.contype" EQ "'p',"
						" (SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY u.place)"
						" FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(attnum, place)"
						" JOIN pg_catalog.pg_attribute a ON a.attrelid" EQ "k.conrelid AND a.attnum" EQ "u.attnum)"
						" FROM pg_catalog.pg_constraint k"
						" JOIN pg_catalog.pg_index i ON i.indexrelid" EQ "k.conindid"
						" WHERE k.conrelid" EQ "ANY ($1::pg_catalog.oid[])"
						" AND k.contype" EQ "ANY ('{p,u}'::pg_catalog.\"char\"[]) AND i.indisvalid%s"
						" AND (k.contype" EQ "'p'%s OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
						" WHERE a.attrelid" EQ "k.conrelid AND a.attnum" EQ "ANY (k.conkey)"
						" AND NOT a.attnotnull))"
						" ORDER BY k.conrelid, k.oid",
						version >= 180000 ? " AND NOT k.conperiod" : "",
						version >= 150000 ? " OR i.indnullsnotdistinct" : "");
	result = query_by_oids(sql, question, oids);
	for (int row = 0; row < mzi_result_rows(result); row++)
	{
		MziUpstreamTable *table = next_table(tables, &position,
											 (Oid) mzi_result_int(result, row, 0));
		MziKey	   *key;

		if (table == NULL)
			continue;
		key = palloc0(sizeof(MziKey));
		key->constraint_oid = (Oid) mzi_result_int(result, row, 1);
		key->name = mzi_result_dup(result, row, 2);
		key->is_primary = mzi_result_bool(result, row, 3);
		key->columns = read_name_array(mzi_result_text(result, row, 4));
		if (all_published(table, key->columns))
			table->keys = lappend(table->keys, key);
	}
	mzi_result_free(result);
	pfree(question);
}

/* ---------- partitions and identities ---------- */

/*
 * Fills the leaves of published roots.  What a role may do with a root it may
 * not do with its leaves, which are copied one by one: rights and row security
 * of the root become those of all.  Sizes are summed up.
 */
static void
read_leaves(MziSession *sql, List *tables)
{
	List	   *roots = NIL;
	ListCell   *cell;
	int			position = 0;
	MziResult  *result;

	foreach(cell, tables)
	{
		MziUpstreamTable *table = lfirst(cell);

		if (table->kind == RELKIND_PARTITIONED_TABLE)
		{
			roots = lappend_oid(roots, table->oid);
			table->row_estimate = 0;
			table->pages = 0;
		}
	}
	if (roots == NIL)
		return;
	result = query_by_oids(sql,
						   "SELECT r.oid, c.oid, pg_catalog.pg_relation_size(l.relid)"
						   " OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8,"
						   " CASE WHEN c.relpages" EQ "0 AND c.reltuples OPERATOR(pg_catalog.<=) 0"
						   " THEN -1 ELSE c.reltuples END,"
						   " pg_catalog.has_table_privilege(l.relid, 'SELECT')"
						   " OR NOT pg_catalog.has_table_privilege(r.oid, 'SELECT')"
						   " AND pg_catalog.has_any_column_privilege(l.relid, 'SELECT'),"
						   " pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'),"
						   " pg_catalog.row_security_active(l.relid)"
						   " FROM pg_catalog.unnest($1::pg_catalog.oid[]) r(oid)"
						   " CROSS JOIN LATERAL pg_catalog.pg_partition_tree(r.oid::pg_catalog.regclass) l"
						   " JOIN pg_catalog.pg_class c ON c.oid" EQ "l.relid"
						   " WHERE l.isleaf AND c.relkind" EQ "'r'"
						   " ORDER BY r.oid, l.relid", mzi_oid_array(roots));
	for (int row = 0; row < mzi_result_rows(result); row++)
	{
		MziUpstreamTable *table = next_table(tables, &position,
											 (Oid) mzi_result_int(result, row, 0));
		double		rows = strtod(mzi_result_text(result, row, 3), NULL);

		if (table == NULL)
			continue;
		table->leaf_partitions = lappend_oid(table->leaf_partitions,
											 (Oid) mzi_result_int(result, row, 1));
		table->pages += mzi_result_int(result, row, 2);
		table->row_estimate = rows < 0 || table->row_estimate < 0 ? -1 :
			table->row_estimate + rows;
		table->can_select &= mzi_result_bool(result, row, 4);
		table->can_use_schema &= mzi_result_bool(result, row, 5);
		table->row_security |= mzi_result_bool(result, row, 6);
	}
	mzi_result_free(result);
}

/* How a relation identifies its rows, as one comparable text. */
typedef struct Identity
{
	Oid			relation;
	char		kind;			/* relreplident */
	char	   *columns;		/* array of names, sorted; NULL = no index */
	char	   *key;			/* the same in the index's order */
	char	   *shown;			/* schema.name, quoted */
} Identity;

/*
 * Reads the identities of relations, sorted by oid.  The names come twice: in
 * the index's order for the key, sorted to compare a leaf with its root.
 */
static Identity *
read_identities(MziSession *sql, List *oids, int *count)
{
	MziResult  *result;
	Identity   *identities;

	result = query_by_oids(sql,
						   "SELECT c.oid, c.relreplident, x.sorted, x.ordered,"
						   " pg_catalog.format('%I.%I', n.nspname, c.relname)"
						   " FROM pg_catalog.pg_class c"
						   " JOIN pg_catalog.pg_namespace n ON n.oid" EQ "c.relnamespace"
						   " LEFT JOIN LATERAL (SELECT"
						   " pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attname) AS sorted,"
						   " pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY u.place) AS ordered"
						   " FROM pg_catalog.pg_index i"
						   " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[])"
						   " WITH ORDINALITY u(attnum, place)"
						   " LEFT JOIN pg_catalog.pg_attribute a"
						   " ON a.attrelid" EQ "i.indrelid AND a.attnum" EQ "u.attnum"
						   " WHERE i.indrelid" EQ "c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid"
						   " AND i.indpred IS NULL AND i.indexprs IS NULL"
						   " AND u.place OPERATOR(pg_catalog.<=) i.indnkeyatts"
						   " AND CASE c.relreplident WHEN 'i' THEN i.indisreplident"
						   " WHEN 'n' THEN false ELSE i.indisprimary END"
						   " HAVING pg_catalog.bool_and(a.attnotnull)) x ON true"
						   " WHERE c.oid" EQ "ANY ($1::pg_catalog.oid[]) ORDER BY c.oid",
						   mzi_oid_array(oids));
	*count = mzi_result_rows(result);
	identities = palloc0(sizeof(Identity) * (*count + 1));
	for (int row = 0; row < *count; row++)
	{
		identities[row].relation = (Oid) mzi_result_int(result, row, 0);
		identities[row].kind = mzi_result_text(result, row, 1)[0];
		identities[row].columns = mzi_result_dup(result, row, 2);
		identities[row].key = mzi_result_dup(result, row, 3);
		identities[row].shown = mzi_result_dup(result, row, 4);
	}
	mzi_result_free(result);
	return identities;
}

/* bsearch: by oid. */
static int
compare_identities(const void *a, const void *b)
{
	Oid			left = ((const Identity *) a)->relation;
	Oid			right = ((const Identity *) b)->relation;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Finds a relation's identity, or NULL. */
static const Identity *
find_identity(const Identity *identities, int count, Oid relation)
{
	Identity	sought = {.relation = relation};

	return bsearch(&sought, identities, count, sizeof(Identity), compare_identities);
}

/*
 * Does the WAL of a leaf hold what the stream promises for its root?  A leaf
 * that logs whole rows always does.
 */
static bool
leaf_fits_root(const Identity *root, const Identity *leaf)
{
	if (leaf->kind == REPLICA_IDENTITY_FULL)
		return true;
	if (root->kind == REPLICA_IDENTITY_FULL ||
		root->columns == NULL || leaf->columns == NULL)
		return false;
	return strcmp(root->columns, leaf->columns) == 0;
}

/* Fills identity_columns and odd_leaves of all tables. */
static void
read_identity(MziSession *sql, List *tables)
{
	List	   *oids = table_oids(tables);
	ListCell   *cell;
	ListCell   *leaf;
	Identity   *identities;
	int			count;

	foreach(cell, tables)
		oids = list_concat(oids, ((MziUpstreamTable *) lfirst(cell))->leaf_partitions);
	identities = read_identities(sql, oids, &count);
	foreach(cell, tables)
	{
		MziUpstreamTable *table = lfirst(cell);
		const Identity *own = find_identity(identities, count, table->oid);

		if (own == NULL)
			continue;
		if (own->key != NULL)
		{
			List	   *names = read_name_array(own->key);

			if (all_published(table, names))
				table->identity_columns = names;
		}
		foreach(leaf, table->leaf_partitions)
		{
			const Identity *other = find_identity(identities, count, lfirst_oid(leaf));

			if (other != NULL && !leaf_fits_root(own, other))
				table->odd_leaves = lappend(table->odd_leaves, other->shown);
		}
	}
}

/*
 * Describes the tables of a publication (of them those in oids, NIL = all):
 * a list of MziUpstreamTable * by oid.  Tables that are not in the
 * publication are missing from it.
 */
List *
mzi_introspect_tables(MziSession *sql, const char *publication, List *oids)
{
	bool		own_transaction = PQtransactionStatus(sql->conn) == PQTRANS_IDLE;
	List	   *tables;

	if (own_transaction)
		mzi_session_command(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
							CATALOG_TIMEOUT_MS);
	tables = read_tables(sql, publication, oids);
	if (tables != NIL)
	{
		char	   *found = mzi_oid_array(table_oids(tables));

		tables = read_columns(sql, publication, tables, found);
		read_keys(sql, tables, found);
		read_leaves(sql, tables);
		read_identity(sql, tables);
		pfree(found);
	}
	if (own_transaction)
		mzi_session_command(sql, "COMMIT", CATALOG_TIMEOUT_MS);
	return tables;
}
