/*-------------------------------------------------------------------------
 *
 * drop.c
 *	  DROP of secrets, connections, clusters, sources and shadow tables.
 *
 * NOTES
 *	  Lock order: first all the sources that will go are made to stand still,
 *	  then tables are dropped, then rows deleted.  The slots are not dropped
 *	  here: they are written down as orphans in the same transaction, and a
 *	  worker drops them upstream after commit, however long that takes.
 *
 *	  CASCADE goes from secrets to connections to sources to shadow tables and
 *	  to whatever PostgreSQL knows to depend on those; and from clusters to
 *	  sources.
 *
 *	  DROP SOURCE takes subsources too, alone or beside other sources, also
 *	  beside their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "command/private.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"

/* Everything that one statement drops. */
typedef struct Victims
{
	List	   *secrets;		/* of MziSecret * */
	List	   *connections;	/* of MziConnection * */
	List	   *sources;		/* of MziSource * */
	List	   *subsources;		/* of oid: shadow tables */
	List	   *clusters;		/* of MziCluster * */
} Victims;

/* Writes a source's slots down as orphans; may raise. */
static void
orphan_slots(const MziSource *source)
{
	MziConnection *connection = mzi_connection_load(source->connection);
	MziConninfo *info = mzi_conninfo_build(connection, source->owner);
	const char *slots[2] = {source->slot, source->next_slot};

	for (int i = 0; i < lengthof(slots); i++)
	{
		if (slots[i] != NULL)
			mzi_orphan_insert(slots[i], info->host, info->port, info->database,
							  info->keywords, info->values);
	}
	mzi_conninfo_wipe(info);
}

/* What to do upstream by hand when the slots could not be written down. */
static void
warn_slots(const MziSource *source, const ErrorData *error)
{
	StringInfoData sql;
	const char *slots[2] = {source->slot, source->next_slot};

	initStringInfo(&sql);
	for (int i = 0; i < lengthof(slots); i++)
	{
		if (slots[i] != NULL)
			appendStringInfo(&sql, "%sSELECT pg_drop_replication_slot(%s)",
							 sql.len > 0 ? "; " : "", quote_literal_cstr(slots[i]));
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("the replication slot of source \"%s\" is left on the upstream",
					mzi_name_quote(source->name)),
			 errdetail("%s", error->message),
			 errhint("It keeps WAL there until it is dropped. Run on the upstream: %s", sql.data)));
}

/*
 * Gives up a source's slots: a worker drops them upstream after commit.  A
 * source that was made in another database leaves its slots to that one.
 * When they cannot be written down (the key of the secrets is gone), a
 * warning tells what to do.
 */
void
mzi_drop_give_up_slots(const MziSource *source)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if ((source->slot == NULL && source->next_slot == NULL) ||
		!mzi_catalog_bound(source))
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		orphan_slots(source);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		warn_slots(source, error);
		FreeErrorData(error);
	}
	PG_END_TRY();
}

/* Raises that something still depends on an object. */
static void
refuse_dependents(MziObjectKind kind, MziName name, List *dependents)
{
	StringInfoData all;
	ListCell   *cell;

	initStringInfo(&all);
	foreach(cell, dependents)
		appendStringInfo(&all, "%s%s", all.len > 0 ? ", " : "", (char *) lfirst(cell));
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop %s \"%s\": still depended upon by %s",
					mzi_command_kind(kind), mzi_name_short(name),
					(char *) linitial(dependents)),
			 list_length(dependents) == 1 ? 0 :
			 errdetail("All dependents: %s.", all.data),
			 errhint("Drop these first, or give cascade => true.")));
}

/* Is the source among those that go? */
static bool
has_source(const Victims *victims, int64 id)
{
	ListCell   *cell;

	foreach(cell, victims->sources)
	{
		if (((MziSource *) lfirst(cell))->id == id)
			return true;
	}
	return false;
}

/* Adds a source, once. */
static void
add_source(Victims *victims, MziSource *source)
{
	if (has_source(victims, source->id))
		return;
	mzi_command_check_owner(MZI_OBJECT_SOURCE, source->name, source->owner);
	victims->sources = lappend(victims->sources, source);
}

/* Is the name, as in 'source "x"', that of an object which goes too? */
static bool
goes_too(const Victims *victims, const char *dependent)
{
	ListCell   *cell;

	foreach(cell, victims->connections)
	{
		MziName		name = ((MziConnection *) lfirst(cell))->name;

		if (strcmp(dependent, psprintf("connection \"%s\"", mzi_name_short(name))) == 0)
			return true;
	}
	foreach(cell, victims->sources)
	{
		MziName		name = ((MziSource *) lfirst(cell))->name;

		if (strcmp(dependent, psprintf("source \"%s\"", mzi_name_short(name))) == 0)
			return true;
	}
	return false;
}

/* Those of the dependents (of char *) that would stay. */
static List *
remaining_dependents(const Victims *victims, List *dependents)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, dependents)
	{
		if (!goes_too(victims, lfirst(cell)))
			result = lappend(result, lfirst(cell));
	}
	return result;
}

/*
 * Adds a connection, once, with the connections that go through it and the
 * sources that use it.
 */
static void
add_connection(Victims *victims, MziConnection *connection, bool cascade)
{
	List	   *dependents;
	ListCell   *cell;

	foreach(cell, victims->connections)
	{
		if (((MziConnection *) lfirst(cell))->id == connection->id)
			return;
	}
	mzi_command_check_owner(MZI_OBJECT_CONNECTION, connection->name, connection->owner);
	dependents = remaining_dependents(victims, mzi_connection_dependents(connection->id));
	if (dependents != NIL && !cascade)
		refuse_dependents(MZI_OBJECT_CONNECTION, connection->name, dependents);
	foreach(cell, mzi_connection_tunnelled(connection->id))
		add_connection(victims, lfirst(cell), true);
	foreach(cell, mzi_connection_sources(connection->id))
		add_source(victims, lfirst(cell));
	victims->connections = lappend(victims->connections, connection);
}

/* Adds a secret, once, with the connections that use it. */
static void
add_secret(Victims *victims, MziSecret *secret, bool cascade)
{
	List	   *dependents;
	ListCell   *cell;

	foreach(cell, victims->secrets)
	{
		if (((MziSecret *) lfirst(cell))->id == secret->id)
			return;
	}
	mzi_command_check_owner(MZI_OBJECT_SECRET, secret->name, secret->owner);
	dependents = remaining_dependents(victims, mzi_secret_dependents(secret->id));
	if (dependents != NIL && !cascade)
		refuse_dependents(MZI_OBJECT_SECRET, secret->name, dependents);
	foreach(cell, mzi_secret_connections(secret->id))
		add_connection(victims,
					   mzi_connection_find(*(MziName *) lfirst(cell), false), true);
	victims->secrets = lappend(victims->secrets, secret);
}

/* Adds a cluster, once, with the sources in it. */
static void
add_cluster(Victims *victims, MziCluster *cluster, bool cascade)
{
	MziName		name = {NULL, cluster->name};
	List	   *sources = NIL;
	ListCell   *cell;

	foreach(cell, victims->clusters)
	{
		if (((MziCluster *) lfirst(cell))->id == cluster->id)
			return;
	}
	mzi_command_check_owner(MZI_OBJECT_CLUSTER, name, cluster->owner);
	foreach(cell, mzi_source_list_of_cluster(cluster->id))
	{
		if (!has_source(victims, ((MziSource *) lfirst(cell))->id))
			sources = lappend(sources, lfirst(cell));
	}
	if (sources != NIL && !cascade)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop cluster \"%s\" because other objects depend on it",
						cluster->name),
				 errdetail("There are %d sources in it, among them \"%s\".", list_length(sources),
						   mzi_name_quote(((MziSource *) linitial(sources))->name)),
				 errhint("Drop these first, or give cascade => true.")));
	foreach(cell, sources)
		add_source(victims, lfirst(cell));
	victims->clusters = lappend(victims->clusters, cluster);
}

/*
 * Adds a subsource: a shadow table that was made with its source or added to
 * it.  False when there is no relation of that name.
 */
static bool
add_subsource(Victims *victims, MziName name)
{
	Oid			schema = get_namespace_oid(name.schema, true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name.name, schema) : InvalidOid;
	MziTable   *table = OidIsValid(relid) ? mzi_table_find(relid) : NULL;

	if (!OidIsValid(relid))
		return false;
	if (table == NULL || !table->is_subsource)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a source", mzi_name_short(name)),
				 table == NULL ?
				 errhint("mz_ingest.stat_source lists the sources, mz_ingest.stat_table their tables.") :
				 errhint("Use DROP TABLE.")));
	victims->subsources = list_append_unique_oid(victims->subsources, relid);
	return true;
}

/* Finds one object and adds it; false when it does not exist. */
static bool
add_by_name(Victims *victims, MziObjectKind kind, MziName name, bool if_exists,
			bool cascade)
{
	void	   *object;

	switch (kind)
	{
		case MZI_OBJECT_SECRET:
			object = mzi_secret_find(name, if_exists);
			if (object != NULL)
				add_secret(victims, object, cascade);
			return object != NULL;
		case MZI_OBJECT_CONNECTION:
			object = mzi_connection_find(name, if_exists);
			if (object != NULL)
				add_connection(victims, object, cascade);
			return object != NULL;
		case MZI_OBJECT_CLUSTER:
			object = mzi_cluster_find(name.name, if_exists);
			if (object != NULL)
				add_cluster(victims, object, cascade);
			return object != NULL;
		default:
			object = mzi_source_find(name, true);
			if (object == NULL && add_subsource(victims, name))
				return true;
			if (object == NULL)
				object = mzi_source_find(name, if_exists);
			if (object != NULL)
				add_source(victims, object);
			return object != NULL;
	}
}

/* Those of the relations (oid list) that still exist. */
static List *
existing_relations(List *relids)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, relids)
	{
		if (get_rel_name(lfirst_oid(cell)) != NULL)
			result = lappend_oid(result, lfirst_oid(cell));
	}
	return result;
}

/* Drops tables (oid list) by one statement as the caller, so that they may
 * depend on each other. */
static void
drop_relations(List *relids, bool cascade)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, relids)
	{
		char	   *name = get_rel_name(lfirst_oid(cell));

		if (name == NULL)
			continue;
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "DROP TABLE ",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(lfirst_oid(cell))),
													name));
	}
	if (sql.len == 0)
		return;
	appendStringInfoString(&sql, cascade ? " CASCADE" : " RESTRICT");
	mzi_command_utility(sql.data);
}

/*
 * The first dependent of an error's detail ('view v depends on table t') as
 * messages name it ('view "v"'); NULL when it cannot be told.
 */
static char *
first_dependent(const char *detail)
{
	const char *end = detail == NULL ? NULL : strstr(detail, " depends on ");
	const char *space;

	if (end == NULL)
		return NULL;
	/* the name follows the last space of the kind: "materialized view" */
	space = strncmp(detail, "materialized view ", 18) == 0 ? detail + 17 :
		memchr(detail, ' ', end - detail);
	if (space == NULL)
		return NULL;
	/* a name that needs quotes has them already */
	return psprintf(space[1] == '"' ? "%.*s %.*s" : "%.*s \"%.*s\"",
					(int) (space - detail), detail,
					(int) (end - space - 1), space + 1);
}

/*
 * Drops tables of a source, and the progress view of the source when that is
 * given (else 0).  When something depends on them, PostgreSQL's error is
 * raised with the source, or subsource, of that name as what cannot be
 * dropped.
 */
static void
drop_source_tables(int64 source, MziName name, List *relids, bool cascade)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		drop_relations(relids, cascade);
		if (source != 0)
			mzi_progress_drop(source, cascade);
	}
	PG_CATCH();
	{
		ErrorData  *error;
		char	   *dependent;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		dependent = first_dependent(error->detail);
		if (error->sqlerrcode != ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST || dependent == NULL)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop source \"%s\": still depended upon by %s",
						mzi_name_short(name), dependent),
				 errdetail_internal("%s", error->detail),
				 errhint("Drop these first, or give cascade => true.")));
	}
	PG_END_TRY();
}

/* Drops one source; its workers stand still. */
static void
drop_source(MziSource *source, bool cascade)
{
	List	   *relids = NIL;
	ListCell   *cell;

	/* again: what the workers wrote until they stood still */
	source = mzi_source_load(source->id, true);
	if (source == NULL)
		return;
	foreach(cell, mzi_table_list(source->id))
		relids = lappend_oid(relids, ((MziTable *) lfirst(cell))->relid);
	drop_source_tables(source->id, source->name, relids, cascade);
	mzi_drop_give_up_slots(source);
	mzi_source_delete(source->id);
}

/* Drops subsources (oid list); their sources go on without them. */
static void
drop_subsources(List *relids, bool cascade)
{
	MziName		name;

	relids = existing_relations(relids);
	if (relids == NIL)
		return;
	name.schema = get_namespace_name(get_rel_namespace(linitial_oid(relids)));
	name.name = get_rel_name(linitial_oid(relids));
	drop_source_tables(0, name, relids, cascade);
}

/* Drops everything that was collected. */
static void
drop_victims(const Victims *victims, bool cascade)
{
	ListCell   *cell;

	foreach(cell, victims->sources)
		mzi_command_hold(lfirst(cell));
	foreach(cell, victims->sources)
		drop_source(lfirst(cell), cascade);
	/* those of the sources are gone by now */
	drop_subsources(victims->subsources, cascade);
	foreach(cell, victims->connections)
		mzi_connection_delete(((MziConnection *) lfirst(cell))->id);
	foreach(cell, victims->secrets)
		mzi_secret_delete(((MziSecret *) lfirst(cell))->id);
	foreach(cell, victims->clusters)
		mzi_cluster_delete(((MziCluster *) lfirst(cell))->id);
	if (victims->sources != NIL || victims->subsources != NIL)
		mzi_launcher_wake_at_commit();
}

/* Drops shadow tables; the event trigger deletes their rows. */
static void
drop_tables(List *names, bool if_exists, bool cascade)
{
	List	   *relids = NIL;
	ListCell   *cell;

	foreach(cell, names)
	{
		MziName    *name = lfirst(cell);
		Oid			schema = get_namespace_oid(name->schema, if_exists);
		Oid			relid = OidIsValid(schema) ?
		get_relname_relid(name->name, schema) : InvalidOid;

		if (!OidIsValid(relid) && if_exists)
		{
			mzi_command_missing(MZI_OBJECT_TABLE, *name);
			continue;
		}
		if (!OidIsValid(relid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("unknown catalog item '%s'", mzi_name_short(*name)),
					 errhint("mz_ingest.stat_table lists the shadow tables.")));
		if (mzi_table_find(relid) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("relation \"%s\" is not a shadow table", mzi_name_quote(*name)),
					 errhint("Use DROP TABLE for an ordinary table.")));
		relids = list_append_unique_oid(relids, relid);
	}
	drop_relations(relids, cascade);
	mzi_launcher_wake_at_commit();
}

/* DROP SECRET | CONNECTION | CLUSTER | SOURCE | TABLE names. */
void
mzi_command_drop(MziObjectKind kind, List *names, bool if_exists, bool cascade)
{
	Victims		victims = {0};
	ListCell   *cell;

	if (kind == MZI_OBJECT_TABLE)
	{
		drop_tables(names, if_exists, cascade);
		return;
	}
	foreach(cell, names)
	{
		MziName    *name = lfirst(cell);

		if (!add_by_name(&victims, kind, *name, if_exists, cascade))
			mzi_command_missing(kind, *name);
	}
	drop_victims(&victims, cascade);
}

/* Tells what else goes: everything that was collected. */
static void
notice_victims(const Victims *victims)
{
	ListCell   *cell;

	foreach(cell, victims->sources)
		ereport(NOTICE,
				(errmsg("drop cascades to source %s",
						mzi_name_quote(((MziSource *) lfirst(cell))->name))));
	foreach(cell, victims->connections)
		ereport(NOTICE,
				(errmsg("drop cascades to connection %s",
						mzi_name_quote(((MziConnection *) lfirst(cell))->name))));
	foreach(cell, victims->secrets)
		ereport(NOTICE,
				(errmsg("drop cascades to secret %s",
						mzi_name_quote(((MziSecret *) lfirst(cell))->name))));
}

/*
 * Drops objects of several kinds by one statement, so that they may depend on
 * each other: lists of MziName * by kind, without tables.  "notice": tell of
 * them, as the statement does not name them.
 */
void
mzi_drop_named(List **names, bool cascade, bool notice)
{
	static const MziObjectKind order[] = {
		MZI_OBJECT_SOURCE, MZI_OBJECT_CONNECTION, MZI_OBJECT_SECRET, MZI_OBJECT_CLUSTER
	};
	Victims		victims = {0};

	for (int i = 0; i < lengthof(order); i++)
	{
		ListCell   *cell;

		foreach(cell, names[order[i]])
			add_by_name(&victims, order[i], *(MziName *) lfirst(cell), false, cascade);
	}
	if (notice)
		notice_victims(&victims);
	drop_victims(&victims, cascade);
}
