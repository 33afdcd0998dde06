/*-------------------------------------------------------------------------
 *
 * orphan.c
 *	  mz_ingest.orphan_slot: replication slots still to be dropped upstream.
 *
 * NOTES
 *	  A row outlives its source, connection and secrets, so it holds all that
 *	  is needed to connect: libpq's keywords and values, sealed together (the
 *	  password is among them) with the slot's name authenticated.
 *
 *	  Plaintext form: keyword NUL value NUL, again and again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"
#include "lib/stringinfo.h"

/* The text that is authenticated with a slot's connection parameters. */
static char *
orphan_aad(const char *slot)
{
	return psprintf("connection of replication slot \"%s\"", slot);
}

/* Strings the keywords and values together, for sealing. */
static void
pack(StringInfo packed, List *keywords, List *values)
{
	ListCell   *keyword;
	ListCell   *value;

	initStringInfo(packed);
	forboth(keyword, keywords, value, values)
	{
		const char *text_value = lfirst(value) ? lfirst(value) : "";

		appendBinaryStringInfo(packed, lfirst(keyword),
							   strlen(lfirst(keyword)) + 1);
		appendBinaryStringInfo(packed, text_value, strlen(text_value) + 1);
	}
}

/* Takes them apart again, into lists of palloc'd strings. */
static void
unpack(const char *packed, int length, List **keywords, List **values)
{
	const char *end = packed + length;

	while (packed < end)
	{
		*keywords = lappend(*keywords, pstrdup(packed));
		packed += strlen(packed) + 1;
		if (packed >= end)
			elog(ERROR, "a connection parameter has no value");
		*values = lappend(*values, pstrdup(packed));
		packed += strlen(packed) + 1;
	}
}

/* Remembers a slot that is to be dropped. */
void
mzi_orphan_insert(const char *slot, const char *host, int port,
				  const char *database, List *keywords, List *values)
{
	MziQuery	query;
	StringInfoData packed;
	bytea	   *sealed;
	char	   *fingerprint;

	pack(&packed, keywords, values);
	sealed = mzi_secret_seal(packed.data, packed.len, orphan_aad(slot),
							 &fingerprint);
	explicit_bzero(packed.data, packed.maxlen);
	pfree(packed.data);

	mzi_query_open(&query);
	mzi_put_text(&query, slot);
	mzi_put_text(&query, host);
	mzi_put_int32(&query, port);
	mzi_put_text(&query, database);
	mzi_put_bytea(&query, sealed);
	mzi_put_text(&query, fingerprint);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.orphan_slot"
				  " (slot, host, port, database, sealed_conninfo, key_fingerprint)"
				  " VALUES ($1, $2, $3, $4, $5, $6)"
				  " ON CONFLICT (slot) DO UPDATE SET"
				  " host = excluded.host, port = excluded.port,"
				  " database = excluded.database,"
				  " sealed_conninfo = excluded.sealed_conninfo,"
				  " key_fingerprint = excluded.key_fingerprint");
	mzi_query_close(&query);
}

/* A row as read, still sealed. */
typedef struct SealedOrphan
{
	MziOrphanSlot *orphan;
	bytea	   *sealed;
	char	   *fingerprint;
} SealedOrphan;

/*
 * The slots to be dropped: MziOrphanSlot *, the oldest first.
 *
 * A slot whose connection was sealed under another key than the present one
 * (or while there is none) is left out, with that reason as its last error:
 * it shall not keep the others waiting.
 */
List *
mzi_orphan_list(void)
{
	MziQuery	query;
	List	   *rows = NIL;
	List	   *result = NIL;
	ListCell   *cell;
	char	   *present;

	mzi_query_open(&query);
	mzi_query_run(&query,
				  "SELECT slot, host, port, database, attempts,"
				  " sealed_conninfo, key_fingerprint"
				  " FROM mz_ingest.orphan_slot ORDER BY since, slot");
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);
		SealedOrphan *row = palloc(sizeof(SealedOrphan));

		row->orphan = palloc0(sizeof(MziOrphanSlot));
		row->orphan->slot = mzi_get_text(&query);
		row->orphan->host = mzi_get_text(&query);
		row->orphan->port = mzi_get_int32(&query);
		row->orphan->database = mzi_get_text(&query);
		row->orphan->attempts = mzi_get_int32(&query);
		row->sealed = mzi_get_bytea(&query);
		row->fingerprint = mzi_get_text(&query);
		rows = lappend(rows, row);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	if (rows == NIL)
		return NIL;

	present = mzi_key_exists() ? mzi_seal_fingerprint() : NULL;
	foreach(cell, rows)
	{
		SealedOrphan *row = lfirst(cell);
		MziOrphanSlot *orphan = row->orphan;
		char	   *packed;
		int			length;

		if (present == NULL || strcmp(row->fingerprint, present) != 0)
		{
			mzi_orphan_failed(orphan->slot,
							  psprintf("the connection was sealed under key %s, but \"%s\" %s%s",
									   row->fingerprint, mzi_key_path(),
									   present ? "holds key " : "does not exist",
									   present ? present : ""));
			continue;
		}
		packed = mzi_unseal(row->sealed, row->fingerprint,
							orphan_aad(orphan->slot), &length);
		unpack(packed, length, &orphan->keywords, &orphan->values);
		explicit_bzero(packed, length);
		pfree(packed);
		result = lappend(result, orphan);
	}
	return result;
}

/* Are there slots to be dropped, whether or not we can unseal them? */
bool
mzi_orphan_any(void)
{
	MziQuery	query;
	bool		result;

	mzi_query_open(&query);
	mzi_query_run(&query, "SELECT EXISTS (SELECT FROM mz_ingest.orphan_slot)");
	result = mzi_query_next(&query) && mzi_get_bool(&query);
	mzi_query_close(&query);
	return result;
}

/* Forgets a slot that is gone. */
void
mzi_orphan_delete(const char *slot)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_text(&query, slot);
	mzi_query_run(&query, "DELETE FROM mz_ingest.orphan_slot WHERE slot = $1");
	mzi_query_close(&query);
}

/* Records an attempt to drop a slot that failed. */
void
mzi_orphan_failed(const char *slot, const char *error)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_text(&query, slot);
	mzi_put_error_text(&query, error);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.orphan_slot"
				  " SET attempts = attempts + 1,"
				  " last_attempt_at = clock_timestamp(), last_error = $2"
				  " WHERE slot = $1");
	mzi_query_close(&query);
}
