/*-------------------------------------------------------------------------
 *
 * ssh_key.c
 *	  mz_ingest.ssh_key: the two key pairs of each SSH tunnel.
 *
 * NOTES
 *	  There are two so that they can be exchanged without an interruption:
 *	  both are offered at each login, and a rotation drops the first, makes
 *	  the second the first, and adds a new second.  A host that knows both
 *	  public keys can be given the new one at leisure.
 *
 *	  What is stored is the seed of a pair (ssh_format.c), sealed for its
 *	  connection and number.  A seed never becomes an argument of a statement
 *	  in plain.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* The text that is authenticated with a private key. */
static char *
key_aad(int64 connection, int number)
{
	return psprintf("private key %d of SSH tunnel " INT64_FORMAT, number, connection);
}

/* Stores a pair under a number, in place of the one that is there. */
static void
store_key(int64 connection, int number, const unsigned char *seed)
{
	MziQuery	query;
	char	   *public = mzi_ssh_public_text(seed);
	char	   *fingerprint;
	bytea	   *sealed = mzi_secret_seal((const char *) seed, MZI_SSH_SEED_LENGTH,
										 key_aad(connection, number), &fingerprint);

	mzi_query_open(&query);
	mzi_put_int64(&query, connection);
	mzi_put_int16(&query, number);
	mzi_put_text(&query, public);
	mzi_put_bytea(&query, sealed);
	mzi_put_text(&query, fingerprint);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.ssh_key"
				  " (connection, number, public_key, sealed_private_key, key_fingerprint)"
				  " VALUES ($1, $2, $3, $4, $5)"
				  " ON CONFLICT (connection, number) DO UPDATE SET"
				  " public_key = excluded.public_key,"
				  " sealed_private_key = excluded.sealed_private_key,"
				  " key_fingerprint = excluded.key_fingerprint");
	mzi_query_close(&query);
}

/* Makes a pair and stores it. */
static void
store_new_key(int64 connection, int number)
{
	unsigned char seed[MZI_SSH_SEED_LENGTH];

	mzi_ssh_generate(seed);
	store_key(connection, number, seed);
	explicit_bzero(seed, sizeof(seed));
}

/* Makes both pairs of a new tunnel. */
void
mzi_ssh_key_create(int64 connection)
{
	store_new_key(connection, 1);
	store_new_key(connection, 2);
}

/* The seed of a stored pair, palloc'd; the caller wipes it. */
static char *
reveal_seed(int64 connection, int number)
{
	MziQuery	query;
	bytea	   *sealed;
	char	   *fingerprint;
	char	   *seed;
	int			length;

	mzi_query_open(&query);
	mzi_put_int64(&query, connection);
	mzi_put_int16(&query, number);
	mzi_query_run(&query,
				  "SELECT sealed_private_key, key_fingerprint FROM mz_ingest.ssh_key"
				  " WHERE connection = $1 AND number = $2");
	if (!mzi_query_next(&query))
		elog(ERROR, "SSH tunnel " INT64_FORMAT " has no key %d", connection, number);
	sealed = mzi_get_bytea(&query);
	fingerprint = mzi_get_text(&query);
	mzi_query_close(&query);

	seed = mzi_unseal(sealed, fingerprint, key_aad(connection, number), &length);
	if (length != MZI_SSH_SEED_LENGTH)
		elog(ERROR, "private key %d of SSH tunnel " INT64_FORMAT " has %d bytes",
			 number, connection, length);
	return seed;
}

/* The first pair goes, the second becomes the first, a new one the second. */
void
mzi_ssh_key_rotate(int64 connection)
{
	char	   *seed = reveal_seed(connection, 2);

	store_key(connection, 1, (unsigned char *) seed);
	explicit_bzero(seed, MZI_SSH_SEED_LENGTH);
	store_new_key(connection, 2);
}

/* A public key, as a line of authorized_keys. */
char *
mzi_ssh_key_public(int64 connection, int number)
{
	MziQuery	query;
	char	   *public;

	mzi_query_open(&query);
	mzi_put_int64(&query, connection);
	mzi_put_int16(&query, number);
	mzi_query_run(&query,
				  "SELECT public_key FROM mz_ingest.ssh_key"
				  " WHERE connection = $1 AND number = $2");
	if (!mzi_query_next(&query))
		elog(ERROR, "SSH tunnel " INT64_FORMAT " has no key %d", connection, number);
	public = mzi_get_text(&query);
	mzi_query_close(&query);
	return public;
}

/* A private key, as the text of its file.  The caller wipes it. */
char *
mzi_ssh_key_reveal(int64 connection, int number)
{
	char	   *seed = reveal_seed(connection, number);
	char	   *private = mzi_ssh_private_text((unsigned char *) seed);

	explicit_bzero(seed, MZI_SSH_SEED_LENGTH);
	pfree(seed);
	return private;
}
