/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  The progress view of a source: <source>_progress(lsn).
 *
 * NOTES
 *	  It is an ordinary view over mz_ingest.source_progress(), made as the
 *	  caller, in the source's schema unless the statement says otherwise, so
 *	  that grants, dumps and dependencies are PostgreSQL's own.  It belongs to
 *	  the source: it comes and goes with it, has its owner, and cannot be
 *	  dropped by itself (the event trigger mz_ingest_sql_drop refuses).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "command/private.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* The name a source's progress view has when none is given. */
static char *
default_name(const char *source)
{
	return makeObjectName(source, NULL, "progress");
}

/* A relation's name as SQL; NULL when it does not exist. */
static char *
quoted_name(Oid relid)
{
	char	   *name = OidIsValid(relid) ? get_rel_name(relid) : NULL;

	if (name == NULL)
		return NULL;
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

/*
 * Makes the progress view of a source whose rows have been made, and records
 * it.  name: NULL = <source>_progress in the source's schema.
 */
void
mzi_progress_create(const MziSource *source, const MziName *name)
{
	MziName		view = source->name;
	MziOwnerSwitch saved;
	char	   *quoted;
	Oid			schema;

	if (name != NULL)
		view = *name;
	else
		view.name = default_name(source->name.name);
	schema = get_namespace_oid(view.schema, false);
	if (OidIsValid(get_relname_relid(view.name, schema)))
		mzi_command_exists(MZI_OBJECT_TABLE, view, false);
	quoted = quote_qualified_identifier(view.schema, view.name);
	mzi_command_utility(psprintf("CREATE VIEW %s AS SELECT mz_ingest.source_progress("
								 INT64_FORMAT ") AS lsn", quoted, source->id));

	mzi_catalog_enter(&saved);
	mzi_command_utility(psprintf("COMMENT ON VIEW %s IS %s", quoted,
								 quote_literal_cstr(psprintf("progress of source %s",
															 mzi_name_quote(source->name)))));
	mzi_catalog_leave(&saved);
	mzi_progress_record(source->id, source->progress_id,
						get_relname_relid(view.name, schema));
}

/*
 * The source has another name now: the view follows, if it had the default
 * name and the new one is free.
 */
void
mzi_progress_rename(int64 source, const char *old_name, const char *new_name)
{
	Oid			relid = mzi_progress_relation(source);
	char	   *quoted = quoted_name(relid);
	char	   *target = default_name(new_name);

	if (quoted == NULL || strcmp(get_rel_name(relid), default_name(old_name)) != 0 ||
		OidIsValid(get_relname_relid(target, get_rel_namespace(relid))))
		return;
	mzi_command_utility(psprintf("ALTER VIEW %s RENAME TO %s", quoted,
								 quote_identifier(target)));
}

/* The source has another owner now, and so has the view. */
void
mzi_progress_set_owner(int64 source, Oid owner)
{
	char	   *quoted = quoted_name(mzi_progress_relation(source));

	if (quoted != NULL)
		mzi_command_utility(psprintf("ALTER VIEW %s OWNER TO %s", quoted,
									 quote_identifier(GetUserNameFromId(owner, false))));
}

/* Drops the view of a source that is being dropped. */
void
mzi_progress_drop(int64 source, bool cascade)
{
	char	   *quoted = quoted_name(mzi_progress_relation(source));

	if (quoted == NULL)
		return;
	mzi_progress_forget(source);
	mzi_command_utility(psprintf("DROP VIEW %s %s", quoted,
								 cascade ? "CASCADE" : "RESTRICT"));
}

/*
 * Raises when a statement drops a progress view whose source stays; for the
 * event trigger, connected to SPI as the extension's owner.
 */
void
mzi_progress_refuse_drop(void)
{
	const char *sql =
	"SELECT d.object_identity, s.schema, s.name"
	" FROM pg_catalog.pg_event_trigger_dropped_objects() d"
	" JOIN mz_ingest.source s ON s.progress_relid::pg_catalog.oid = d.objid"
	" WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
	" AND d.objsubid = 0 ORDER BY s.id LIMIT 1";

	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalog");
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MziName		source = {SPI_getvalue(row, desc, 2), SPI_getvalue(row, desc, 3)};
		char	   *quoted = mzi_name_quote(source);

		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop view \"%s\": it shows the progress of source \"%s\"",
						SPI_getvalue(row, desc, 1), quoted),
				 errdetail("A progress view goes with its source."),
				 errhint("SELECT mz_ingest.drop_source(%s)", quote_literal_cstr(quoted))));
	}
}
