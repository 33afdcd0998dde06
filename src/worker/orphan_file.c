/*-------------------------------------------------------------------------
 *
 * orphan_file.c
 *	  Slots that are still to be dropped when their database is gone.
 *
 * NOTES
 *	  DROP DATABASE and DROP EXTENSION take the tables with them that say where
 *	  a slot is and how to get there.  Before they run, each slot is written to
 *	  a file $PGDATA/mz_ingest/orphans/<slot>: a JSON object, mode 0600, the
 *	  connection's parameters sealed as secrets are, with the slot's name
 *	  authenticated.
 *
 *	  A file says which transaction wrote it, and counts from that
 *	  transaction's commit.  Nothing is done at commit or abort, so nothing can
 *	  be missed by a crash: whoever reads the file looks the transaction up.
 *	  If it did not commit, the source is still there and the file is removed.
 *	  (The id was made durable before, or a crash would give it away again.)
 *	  A DROP DATABASE that failed half-way leaves a database marked invalid,
 *	  which can only be dropped again; then the file stays as it is.
 *
 *	  No catalog but pg_database is read here, so that a process without a
 *	  database can do it.  Reading needs a transaction; writing does not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_database.h"
#include "common/base64.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/timestamp.h"
#include "worker/guard_private.h"

#define ORPHAN_PARENT "mz_ingest"
#define ORPHAN_DIRECTORY ORPHAN_PARENT "/orphans"
/* A file is a few hundred bytes; certificates make it longer. */
#define ORPHAN_MAX_BYTES (1024 * 1024)

/* Is it the name of a replication slot, and so safe as a file name? */
static bool
slot_name_is_valid(const char *name)
{
	size_t		length = strlen(name);

	return length > 0 && length < NAMEDATALEN &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* Path of a slot's file, relative to the data directory. */
static char *
file_path(const char *slot)
{
	if (!slot_name_is_valid(slot))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid replication slot name \"%s\"", slot),
				 errhint("Slot names have lower-case letters, digits and underscores, at most %d.",
						 NAMEDATALEN - 1)));
	return psprintf("%s/%s", ORPHAN_DIRECTORY, slot);
}

/* Makes one directory, if it is not there. */
static void
make_directory(const char *path)
{
	if (MakePGDirectory(path) < 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", path),
				 errhint("The server's account must be able to write in the data directory.")));
}

/* Adds "key": "value" to a JSON object; nothing for NULL. */
static void
put_text(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	if (json->len > 1)
		appendStringInfoString(json, ",\n ");
	escape_json(json, key);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}

/* The same for a number; as a string, to be read without catalogs. */
static void
put_int(StringInfo json, const char *key, int64 value)
{
	put_text(json, key, psprintf(INT64_FORMAT, value));
}

/* The file's text. */
static char *
render_file(const MziOrphanFile *file)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	put_text(&json, "slot", file->slot);
	put_text(&json, "host", file->host);
	put_int(&json, "port", file->port);
	put_text(&json, "database", file->database);
	put_int(&json, "local_database", file->local_database);
	put_int(&json, "transaction", (int64) U64FromFullTransactionId(file->xid));
	put_text(&json, "since", timestamptz_to_str(file->since));
	put_int(&json, "since_us", file->since);
	put_int(&json, "attempts", file->attempts);
	put_int(&json, "last_attempt_us", file->last_attempt);
	put_text(&json, "last_error", file->last_error);
	put_text(&json, "key_fingerprint", file->fingerprint);
	put_text(&json, "sealed_conninfo", file->sealed);
	appendStringInfoString(&json, "}\n");
	return json.data;
}

/*
 * Writes a slot's file, in place of an older one: completely or not at all,
 * and durably.
 */
void
mzi_orphan_file_write(const MziOrphanFile *file)
{
	char	   *path = file_path(file->slot);
	char	   *temporary = psprintf("%s/.%s.%d", ORPHAN_DIRECTORY, file->slot, MyProcPid);
	char	   *data = render_file(file);
	int			length = strlen(data);
	int			fd;

	make_directory(ORPHAN_PARENT);
	make_directory(ORPHAN_DIRECTORY);
	(void) unlink(temporary);
	fd = OpenTransientFilePerm(temporary, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY, 0600);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", temporary)));
	errno = 0;
	if (write(fd, data, length) != length)
	{
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write to file \"%s\": %m", temporary)));
	}
	if (CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not close file \"%s\": %m", temporary)));
	fsync_fname(ORPHAN_PARENT, true);
	(void) durable_rename(temporary, path, ERROR);
}

/* Removes a slot's file; false when there was none. */
bool
mzi_orphan_file_remove(const char *slot)
{
	char	   *path = file_path(slot);

	if (unlink(path) < 0)
	{
		if (errno == ENOENT)
			return false;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", path)));
	}
	fsync_fname(ORPHAN_DIRECTORY, true);
	return true;
}

/* The whole file as a string; NULL when it has gone meanwhile. */
static char *
read_whole_file(const char *path)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;
	char	   *data;
	int			length;

	if (fd < 0)
	{
		if (errno == ENOENT)
			return NULL;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
		status.st_size > ORPHAN_MAX_BYTES)
	{
		CloseTransientFile(fd);
		return NULL;
	}
	data = palloc(status.st_size + 1);
	length = read(fd, data, status.st_size);
	CloseTransientFile(fd);
	if (length < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	data[length] = '\0';
	return data;
}

/* A member of a JSON object as a string, NULL when it is not there. */
static char *
get_text(Jsonb *json, const char *key)
{
	JsonbValue	buffer;
	JsonbValue *value = getKeyJsonValueFromContainer(&json->root, key,
													 strlen(key), &buffer);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The same as a number, 0 when it is not there. */
static int64
get_int(Jsonb *json, const char *key)
{
	char	   *value = get_text(json, key);

	return value ? strtoll(value, NULL, 10) : 0;
}

/* Reads one file; NULL when it has gone or is none of ours. */
static MziOrphanFile *
read_file(const char *slot)
{
	MziOrphanFile *file;
	char	   *data = read_whole_file(file_path(slot));
	Jsonb	   *json;

	if (data == NULL || data[0] != '{')
		return NULL;
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(data)));
	if (!JB_ROOT_IS_OBJECT(json))
		return NULL;
	file = palloc0(sizeof(MziOrphanFile));
	file->slot = get_text(json, "slot");
	if (file->slot == NULL || strcmp(file->slot, slot) != 0)
		return NULL;
	file->host = get_text(json, "host");
	file->port = get_int(json, "port");
	file->database = get_text(json, "database");
	file->local_database = (Oid) get_int(json, "local_database");
	file->xid = FullTransactionIdFromU64((uint64) get_int(json, "transaction"));
	file->since = get_int(json, "since_us");
	file->attempts = get_int(json, "attempts");
	file->last_attempt = get_int(json, "last_attempt_us");
	file->last_error = get_text(json, "last_error");
	file->fingerprint = get_text(json, "key_fingerprint");
	file->sealed = get_text(json, "sealed_conninfo");
	return file;
}

/* Names of the files, palloc'd; stops at the first if only_any. */
static List *
list_names(bool only_any)
{
	DIR		   *directory = AllocateDir(ORPHAN_DIRECTORY);
	struct dirent *entry;
	List	   *result = NIL;

	if (directory == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not open directory \"%s\": %m", ORPHAN_DIRECTORY)));
		return NIL;
	}
	while ((entry = ReadDirExtended(directory, ORPHAN_DIRECTORY, LOG)) != NULL)
	{
		if (!slot_name_is_valid(entry->d_name))
			continue;
		result = lappend(result, pstrdup(entry->d_name));
		if (only_any)
			break;
	}
	FreeDir(directory);
	return result;
}

/* All files that can be read. */
List *
mzi_orphan_file_list(void)
{
	List	   *names = list_names(false);
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, names)
	{
		MziOrphanFile *file = read_file(lfirst(cell));

		if (file != NULL)
			result = lappend(result, file);
	}
	list_free_deep(names);
	return result;
}

/* Are there any?  For the launcher: no transaction is needed. */
bool
mzi_janitor_pending_files(void)
{
	List	   *names = list_names(true);
	bool		any = names != NIL;

	list_free_deep(names);
	return any;
}

/*
 * What a file says whose transaction did not commit: nothing, as long as the
 * database is there.  A drop that failed half-way may only be repeated.
 */
static MziOrphanFate
fate_by_database(Oid database)
{
	Relation	relation = table_open(DatabaseRelationId, AccessShareLock);
	MziOrphanFate fate = MZI_ORPHAN_VOID;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(database));
	scan = systable_beginscan(relation, DatabaseOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		fate = MZI_ORPHAN_VALID;
	else if (((Form_pg_database) GETSTRUCT(tuple))->datconnlimit == DATCONNLIMIT_INVALID_DB)
		fate = MZI_ORPHAN_UNDECIDED;
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return fate;
}

/* Is the transaction so old that its outcome is not kept any more? */
static bool
outcome_is_forgotten(TransactionId xid)
{
	bool		forgotten;

	LWLockAcquire(XactTruncationLock, LW_SHARED);
	forgotten = TransactionIdPrecedes(xid, TransamVariables->oldestClogXid);
	LWLockRelease(XactTruncationLock);
	return forgotten;
}

/*
 * Does the file count?  Needs a transaction.  When the outcome is not known
 * any more (or the file comes from another cluster), it counts only if the
 * database is gone, and is never removed.
 */
MziOrphanFate
mzi_orphan_file_fate(const MziOrphanFile *file)
{
	TransactionId xid = XidFromFullTransactionId(file->xid);
	MziOrphanFate fate;

	if (!FullTransactionIdIsValid(file->xid))
		return MZI_ORPHAN_VALID;
	if (!FullTransactionIdPrecedes(file->xid, ReadNextFullTransactionId()) ||
		outcome_is_forgotten(xid))
	{
		fate = fate_by_database(file->local_database);
		return fate == MZI_ORPHAN_VALID ? fate : MZI_ORPHAN_UNDECIDED;
	}
	if (TransactionIdIsInProgress(xid))
		return MZI_ORPHAN_UNDECIDED;
	if (TransactionIdDidCommit(xid))
		return MZI_ORPHAN_VALID;
	return fate_by_database(file->local_database);
}

/* What is authenticated with the parameters, and names them in errors. */
static char *
sealed_name(const char *slot)
{
	return psprintf("connection of replication slot \"%s\"", slot);
}

/*
 * Seals the keywords and values of a connection into the file, and wipes the
 * copy made on the way.
 */
void
mzi_orphan_file_seal(MziOrphanFile *file, List *keywords, List *values)
{
	StringInfoData plain;
	ListCell   *keyword;
	ListCell   *value;
	bytea	   *sealed;
	int			length;
	int			size;

	initStringInfo(&plain);
	enlargeStringInfo(&plain, 64 * 1024);
	forboth(keyword, keywords, value, values)
	{
		appendBinaryStringInfo(&plain, lfirst(keyword), strlen(lfirst(keyword)) + 1);
		appendBinaryStringInfo(&plain, lfirst(value), strlen(lfirst(value)) + 1);
	}
	sealed = mzi_seal(plain.data, plain.len, sealed_name(file->slot));
	explicit_bzero(plain.data, plain.len);
	pfree(plain.data);

	length = VARSIZE_ANY_EXHDR(sealed);
	size = pg_b64_enc_len(length);
	file->sealed = palloc(size + 1);
	size = mzi_compat_b64_encode(VARDATA_ANY(sealed), length, file->sealed, size);
	if (size < 0)
		elog(ERROR, "could not encode a sealed value");
	file->sealed[size] = '\0';
	file->fingerprint = mzi_seal_fingerprint();
}

/*
 * Unseals them.  The values hold a password: the caller's memory context must
 * not live long.
 */
void
mzi_orphan_file_unseal(const MziOrphanFile *file, List **keywords, List **values)
{
	int			size = pg_b64_dec_len(strlen(file->sealed));
	bytea	   *sealed = palloc(VARHDRSZ + size);
	int			length = mzi_compat_b64_decode(file->sealed, strlen(file->sealed),
											   VARDATA(sealed), size);
	char	   *plain;
	char	   *end;
	bool		is_keyword = true;

	if (length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file of replication slot \"%s\" is damaged", file->slot),
				 errhint("Drop the slot on the upstream server by hand, then SELECT mz_ingest.forget_orphan_slot('%s');",
						 file->slot)));
	SET_VARSIZE(sealed, VARHDRSZ + length);
	plain = mzi_unseal(sealed, file->fingerprint ? file->fingerprint : "",
					   sealed_name(file->slot), &length);
	*keywords = NIL;
	*values = NIL;
	for (end = plain + length; plain < end; plain += strlen(plain) + 1)
	{
		if (is_keyword)
			*keywords = lappend(*keywords, plain);
		else
			*values = lappend(*values, plain);
		is_keyword = !is_keyword;
	}
	if (list_length(*keywords) != list_length(*values))
		elog(ERROR, "sealed parameters of slot \"%s\" are incomplete", file->slot);
}
