/*-------------------------------------------------------------------------
 *
 * shadow.c
 *	  Makes shadow tables as planned, and writes them into the catalog.
 *
 * NOTES
 *	  The table is an ordinary one, made as the caller with his rights, or one
 *	  that he has made before (adopt.c).  It has no key yet: that is built after
 *	  the load.  The trigger that refuses
 *	  changes by others and the comment are made as the extension's owner, so
 *	  that no grant on the extension's functions is needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "command/private.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define FILLFACTOR 90			/* percent; leaves room for HOT updates */

/* The statement that makes the table. */
static char *
create_statement(const MziSelection *selection)
{
	const MziTable *table = selection->table;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", mzi_name_quote(selection->local));
	for (int i = 0; i < table->ncolumns; i++)
		appendStringInfo(&sql, "%s%s %s%s", i > 0 ? ", " : "",
						 quote_identifier(table->columns[i].name),
						 (char *) list_nth(selection->types, i),
						 table->columns[i].not_null ? " NOT NULL" : "");
	appendStringInfo(&sql, ") WITH (fillfactor = %d)", FILLFACTOR);
	return sql.data;
}

/* Adds the guard, also to partitions, and the comment. */
static void
dress_table(const MziSource *source, const MziSelection *selection)
{
	MziOwnerSwitch saved;
	char	   *name = mzi_name_quote(selection->local);
	MziName		upstream = {selection->upstream->schema, selection->upstream->name};
	char	   *comment = psprintf("shadow of %s, source %s", mzi_name_quote(upstream),
								   mzi_name_quote(source->name));

	mzi_trigger_guard(mzi_tree_relations(selection->table->relid, NoLock));
	mzi_catalog_enter(&saved);
	mzi_command_utility(psprintf("COMMENT ON TABLE %s IS %s", name,
								 quote_literal_cstr(comment)));
	mzi_catalog_leave(&saved);
}

/* Runs CREATE TABLE as planned; returns the table's OID. */
static Oid
make_table(const MziSelection *selection, Oid schema)
{
	Oid			relid;

	mzi_command_utility(create_statement(selection));
	relid = get_relname_relid(selection->local.name, schema);
	if (!OidIsValid(relid) ||
		get_rel_persistence(relid) != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("shadow table %s cannot be temporary",
						mzi_name_quote(selection->local)),
				 errhint("Choose a schema that is not temporary.")));
	return relid;
}

/* Makes or adopts one table; nothing when it is there and that is allowed. */
static void
create_one(const MziSource *source, MziSelection *selection)
{
	Oid			schema = get_namespace_oid(selection->local.schema, false);

	if (selection->existing)
		selection->table->relid = mzi_adopt_table(selection);
	else if (OidIsValid(get_relname_relid(selection->local.name, schema)))
	{
		mzi_command_exists(MZI_OBJECT_TABLE, selection->local, selection->if_not_exists);
		return;
	}
	else
		selection->table->relid = make_table(selection, schema);
	dress_table(source, selection);
	selection->table->source = source->id;
	selection->table->is_subsource = selection->is_subsource;
	selection->table->id = mzi_table_insert(selection->table, selection->keys);
	mzi_option_store("source_table", selection->table->id, selection->options);
	mzi_history_add("table", selection->table->id, mzi_name_quote(selection->local),
					mzi_table_state_name(MZI_TABLE_CREATED), NULL);
}

/* Makes the tables of all selections, which have been planned. */
void
mzi_shadow_create_all(const MziSource *source, List *selections)
{
	ListCell   *cell;

	foreach(cell, selections)
		create_one(source, lfirst(cell));
}
