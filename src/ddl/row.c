/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Rows of a script's statements as JSON objects.
 *
 * NOTES
 *	  A DestReceiver that puts each row into the tuplestore of a set-returning
 *	  function, as one value of type json or jsonb.  Values become JSON as
 *	  row_to_json() makes them.  Objects of type json have the columns in the
 *	  statement's order; jsonb has an order of its own.
 *
 *	  A column whose name has been there gets a number, so that no value is
 *	  lost: a, a_2, a_3.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "ddl/run.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

typedef struct RowReceiver
{
	DestReceiver public;		/* must be first */
	Tuplestorestate *store;
	TupleDesc	result;			/* of the store: one column */
	bool		as_json;		/* else jsonb */
	TupleDesc	row;			/* of the running statement, with unique names */
	MemoryContext context;		/* reset after each row */
} RowReceiver;

/* Is the name that of one of the first n columns? */
static bool
is_taken(TupleDesc row, int n, const char *name)
{
	for (int i = 0; i < n; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(row, i)->attname), name) == 0)
			return true;
	}
	return false;
}

/* Gives column n a name that no column has: its own and a number. */
static void
rename_column(TupleDesc row, int n)
{
	Name		name = &TupleDescAttr(row, n)->attname;
	char	   *base = pstrdup(NameStr(*name));
	char		fresh[NAMEDATALEN];

	for (int number = 2;; number++)
	{
		char	   *suffix = psprintf("_%d", number);
		int			length = pg_mbcliplen(base, strlen(base),
										  NAMEDATALEN - 1 - strlen(suffix));

		snprintf(fresh, sizeof(fresh), "%.*s%s", length, base, suffix);
		if (!is_taken(row, row->natts, fresh))
			break;
	}
	namestrcpy(name, fresh);
}

/* A statement begins to return rows. */
static void
row_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	RowReceiver *receiver = (RowReceiver *) self;

	receiver->row = CreateTupleDescCopy(typeinfo);
	for (int i = 1; i < receiver->row->natts; i++)
	{
		if (is_taken(receiver->row, i, NameStr(TupleDescAttr(receiver->row, i)->attname)))
			rename_column(receiver->row, i);
	}
	receiver->row->tdtypeid = RECORDOID;
	receiver->row->tdtypmod = -1;
	BlessTupleDesc(receiver->row);
}

/* One row. */
static bool
row_receive(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext caller = MemoryContextSwitchTo(receiver->context);
	HeapTuple	tuple;
	Datum		value;
	bool		is_null = false;

	slot_getallattrs(slot);
	tuple = heap_form_tuple(receiver->row, slot->tts_values, slot->tts_isnull);
	value = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple));
	if (!receiver->as_json)
		value = DirectFunctionCall1(jsonb_in,
									CStringGetDatum(TextDatumGetCString(value)));
	tuplestore_putvalues(receiver->store, receiver->result, &value, &is_null);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(receiver->context);
	return true;
}

/* The statement has returned its rows. */
static void
row_shutdown(DestReceiver *self)
{
	((RowReceiver *) self)->row = NULL;
}

/* The receiver goes with its memory context. */
static void
row_destroy(DestReceiver *self)
{
}

/* A receiver that fills a store of one column, json or jsonb. */
DestReceiver *
mzi_row_receiver(Tuplestorestate *store, TupleDesc result, bool as_json)
{
	RowReceiver *receiver = palloc0(sizeof(RowReceiver));

	receiver->public.receiveSlot = row_receive;
	receiver->public.rStartup = row_startup;
	receiver->public.rShutdown = row_shutdown;
	receiver->public.rDestroy = row_destroy;
	receiver->public.mydest = DestTuplestore;
	receiver->store = store;
	receiver->result = result;
	receiver->as_json = as_json;
	receiver->context = AllocSetContextCreate(CurrentMemoryContext, "mz_ingest row",
											  ALLOCSET_DEFAULT_SIZES);
	return (DestReceiver *) receiver;
}
