/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  mz_ingest.secret: values that are stored sealed.
 *
 * NOTES
 *	  A value is sealed for its row (the id is authenticated), and the
 *	  plaintext never becomes an argument of a statement: only the sealed
 *	  form reaches the table, the logs of nested statements or an error
 *	  context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* The text that is authenticated with a secret's value. */
static char *
secret_aad(int64 id)
{
	return psprintf("secret " INT64_FORMAT, id);
}

/* A secret from a row of id, schema, name, owner, key_fingerprint. */
static MziSecret *
read_secret(MziQuery *query)
{
	MziSecret  *secret = MemoryContextAllocZero(query->caller, sizeof(MziSecret));

	secret->id = mzi_get_int64(query);
	secret->name = mzi_get_object_name(query);
	secret->owner = mzi_get_oid(query);
	secret->fingerprint = mzi_get_text(query);
	return secret;
}

/* Finds a secret by name. */
MziSecret *
mzi_secret_find(MziName name, bool missing_ok)
{
	MziQuery	query;
	MziSecret  *secret = NULL;

	mzi_query_open(&query);
	mzi_put_object_name(&query, name);
	mzi_query_run(&query,
				  "SELECT id, schema, name, owner::oid, key_fingerprint"
				  " FROM mz_ingest.secret WHERE schema = $1 AND name = $2");
	if (mzi_query_next(&query))
		secret = read_secret(&query);
	mzi_query_close(&query);

	if (secret == NULL && !missing_ok)
		mzi_name_unknown("secret", name,
						 psprintf("Secrets are made with mz_ingest.create_secret(name => '%s', value => '...').",
								  mzi_name_quote(name)));
	return secret;
}

/* The secret of that id, which something refers to. */
MziSecret *
mzi_secret_load(int64 id)
{
	MziQuery	query;
	MziSecret  *secret;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT id, schema, name, owner::oid, key_fingerprint"
				  " FROM mz_ingest.secret WHERE id = $1");
	if (!mzi_query_next(&query))
		elog(ERROR, "secret " INT64_FORMAT " does not exist", id);
	secret = read_secret(&query);
	mzi_query_close(&query);
	return secret;
}

/*
 * Seals a value that will be stored in a table of this database.
 *
 * A key is made only in a database where nothing is sealed yet: elsewhere a
 * missing key file means that this server did not get it, and a new key would
 * hide that.
 */
bytea *
mzi_secret_seal(const char *plain, int length, const char *aad,
				char **fingerprint)
{
	if (!mzi_key_exists())
	{
		MziQuery	query;
		bool		sealed_before;

		mzi_query_open(&query);
		mzi_query_run(&query,
					  "SELECT EXISTS (SELECT FROM mz_ingest.secret)"
					  " OR EXISTS (SELECT FROM mz_ingest.ssh_key)"
					  " OR EXISTS (SELECT FROM mz_ingest.orphan_slot)");
		sealed_before = mzi_query_next(&query) && mzi_get_bool(&query);
		mzi_query_close(&query);
		/* unless another backend made it, and sealed with it, just now */
		if (sealed_before && !mzi_key_exists())
			mzi_key_raise_missing(mzi_key_path());
	}
	return mzi_seal_with_fingerprint(plain, length, aad, fingerprint);
}

/* Adds a secret of the caller's, and returns its id. */
int64
mzi_secret_insert(MziName name, const char *value, int length)
{
	MziQuery	query;
	int64		id;
	bytea	   *sealed;
	char	   *fingerprint;
	bool		inserted;

	mzi_query_open(&query);
	mzi_query_run(&query, "SELECT nextval('mz_ingest.object_id')");
	mzi_query_next(&query);
	id = mzi_get_int64(&query);
	mzi_query_close(&query);

	sealed = mzi_secret_seal(value, length, secret_aad(id), &fingerprint);

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_object_name(&query, name);
	mzi_put_oid(&query, query.saved.user);
	mzi_put_bytea(&query, sealed);
	mzi_put_text(&query, fingerprint);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.secret"
				  " (id, schema, name, owner, sealed, key_fingerprint)"
				  " VALUES ($1, $2, $3, $4::regrole, $5, $6)"
				  " ON CONFLICT (schema, name) DO NOTHING");
	inserted = query.rows > 0;
	mzi_query_close(&query);
	if (!inserted)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("secret \"%s\" already exists", mzi_name_quote(name)),
				 errhint("Give it a new value with mz_ingest.alter_secret(name => '%s', value => '...').",
						 mzi_name_quote(name))));
	return id;
}

/* Gives a secret a new value, sealed anew. */
void
mzi_secret_update(int64 id, const char *value, int length)
{
	MziQuery	query;
	bytea	   *sealed;
	char	   *fingerprint;

	sealed = mzi_secret_seal(value, length, secret_aad(id), &fingerprint);

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_bytea(&query, sealed);
	mzi_put_text(&query, fingerprint);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.secret"
				  " SET sealed = $2, key_fingerprint = $3, changed_at = now()"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* Removes a secret; connections that use it make that fail. */
void
mzi_secret_delete(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.object_comment WHERE object_id = $1");
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.secret WHERE id = $1");
	mzi_query_close(&query);
}

/*
 * The plaintext of a secret, terminated.  The caller wipes it with
 * explicit_bzero.
 */
char *
mzi_secret_reveal(int64 id)
{
	MziQuery	query;
	MziName		name;
	bytea	   *sealed;
	char	   *fingerprint;
	int			length;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT schema, name, sealed, key_fingerprint"
				  " FROM mz_ingest.secret WHERE id = $1");
	if (!mzi_query_next(&query))
		elog(ERROR, "secret " INT64_FORMAT " does not exist", id);
	name = mzi_get_object_name(&query);
	sealed = mzi_get_bytea(&query);
	fingerprint = mzi_get_text(&query);
	mzi_query_close(&query);

	return mzi_unseal_named(sealed, fingerprint, secret_aad(id),
							psprintf("secret \"%s\"", mzi_name_quote(name)),
							&length);
}
