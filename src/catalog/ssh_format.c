/*-------------------------------------------------------------------------
 *
 * ssh_format.c
 *	  Ed25519 key pairs, in the forms that OpenSSH reads.
 *
 * NOTES
 *	  A key pair is its seed of 32 bytes; everything else is computed from
 *	  it.  Both forms below hold the pieces of the SSH protocol: numbers in
 *	  network order, strings behind their length.
 *
 *		public		ssh-ed25519 BASE64(string type, string point) comment
 *		private		BASE64("openssh-key-v1" NUL, cipher, kdf, kdf options,
 *					number of keys, public part, private part) between two
 *					lines that name it
 *
 *	  The private part is not encrypted here: it is sealed while it is stored,
 *	  and exists as a file only while an ssh client logs in.
 *
 *	  Nothing here needs a transaction or a database.  Buffers that hold a
 *	  private key have their full size from the start, so that no copy stays
 *	  behind when they grow, and are wiped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "catalog/private.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"

#define KEY_TYPE		"ssh-ed25519"
#define KEY_COMMENT		"materialize"
#define KEY_MAGIC		"openssh-key-v1"
#define KEY_BEGIN		"-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define KEY_END			"-----END OPENSSH PRIVATE KEY-----\n"

#define POINT_LENGTH	32		/* bytes of a public key */
#define PRIVATE_BLOCK	8		/* the private part is filled up to multiples */
#define LINE_LENGTH		70		/* base64 digits in a line */
#define BUFFER_SIZE		1024	/* more than any of the forms needs */

/* Ereports that libcrypto failed. */
static void
raise_crypto(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("could not %s an ed25519 key", what),
			 errdetail("libcrypto failed."),
			 errhint("See whether the server's OpenSSL is restricted to algorithms without Ed25519.")));
}

/* Appends a number of four bytes. */
static void
put_number(StringInfo out, uint32 number)
{
	uint32		wire = pg_hton32(number);

	appendBinaryStringInfo(out, (char *) &wire, sizeof(wire));
}

/* Appends bytes behind their length. */
static void
put_bytes(StringInfo out, const void *bytes, int length)
{
	put_number(out, length);
	appendBinaryStringInfo(out, bytes, length);
}

/* Appends a text behind its length. */
static void
put_string(StringInfo out, const char *string)
{
	put_bytes(out, string, strlen(string));
}

/* Makes an empty buffer that will not grow. */
static void
init_buffer(StringInfo buffer)
{
	initStringInfo(buffer);
	enlargeStringInfo(buffer, BUFFER_SIZE);
}

/* Wipes and frees a buffer. */
static void
wipe_buffer(StringInfo buffer)
{
	explicit_bzero(buffer->data, buffer->maxlen);
	pfree(buffer->data);
}

/* Bytes as base64 digits, palloc'd. */
static char *
base64_text(const StringInfo bytes)
{
	char	   *digits = palloc0(4 * ((bytes->len + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *) digits, (unsigned char *) bytes->data, bytes->len);
	return digits;
}

/* Makes a new key pair: MZI_SSH_SEED_LENGTH random bytes. */
void
mzi_ssh_generate(unsigned char *seed)
{
	EVP_PKEY   *pair = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	size_t		length = MZI_SSH_SEED_LENGTH;
	bool		ok;

	ok = context != NULL &&
		EVP_PKEY_keygen_init(context) == 1 &&
		EVP_PKEY_keygen(context, &pair) == 1 &&
		EVP_PKEY_get_raw_private_key(pair, seed, &length) == 1 &&
		length == MZI_SSH_SEED_LENGTH;
	EVP_PKEY_free(pair);
	EVP_PKEY_CTX_free(context);
	if (!ok)
		raise_crypto("make");
}

/* The public key of a seed. */
static void
compute_point(const unsigned char *seed, unsigned char *point)
{
	EVP_PKEY   *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
													MZI_SSH_SEED_LENGTH);
	size_t		length = POINT_LENGTH;
	bool		ok;

	ok = pair != NULL &&
		EVP_PKEY_get_raw_public_key(pair, point, &length) == 1 &&
		length == POINT_LENGTH;
	EVP_PKEY_free(pair);
	if (!ok)
		raise_crypto("use");
}

/* The public key as the protocol has it. */
static void
put_public(StringInfo out, const unsigned char *point)
{
	put_string(out, KEY_TYPE);
	put_bytes(out, point, POINT_LENGTH);
}

/* The public key as a line of authorized_keys: type, key, comment. */
char *
mzi_ssh_public_text(const unsigned char *seed)
{
	unsigned char point[POINT_LENGTH];
	StringInfoData key;

	compute_point(seed, point);
	init_buffer(&key);
	put_public(&key, point);
	return psprintf("%s %s %s", KEY_TYPE, base64_text(&key), KEY_COMMENT);
}

/* The private part of a private key's file. */
static void
put_private(StringInfo out, const unsigned char *seed, const unsigned char *point)
{
	int			start = out->len;
	uint32		check;

	if (!pg_strong_random(&check, sizeof(check)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values for a key file")));
	/* twice the same: a reader sees that it decrypted well */
	put_number(out, check);
	put_number(out, check);
	put_public(out, point);
	put_number(out, MZI_SSH_SEED_LENGTH + POINT_LENGTH);
	appendBinaryStringInfo(out, (const char *) seed, MZI_SSH_SEED_LENGTH);
	appendBinaryStringInfo(out, (const char *) point, POINT_LENGTH);
	put_string(out, KEY_COMMENT);
	for (char fill = 1; (out->len - start) % PRIVATE_BLOCK != 0; fill++)
		appendStringInfoChar(out, fill);
}

/*
 * The key pair as the text of a private key's file.  Palloc'd; the caller
 * wipes it.
 */
char *
mzi_ssh_private_text(const unsigned char *seed)
{
	unsigned char point[POINT_LENGTH];
	StringInfoData part;
	StringInfoData key;
	StringInfoData out;
	char	   *digits;

	compute_point(seed, point);
	init_buffer(&part);
	init_buffer(&key);
	init_buffer(&out);
	appendBinaryStringInfo(&key, KEY_MAGIC, sizeof(KEY_MAGIC));
	put_string(&key, "none");	/* cipher */
	put_string(&key, "none");	/* how its key is derived */
	put_string(&key, "");
	put_number(&key, 1);
	put_public(&part, point);
	put_bytes(&key, part.data, part.len);
	resetStringInfo(&part);
	put_private(&part, seed, point);
	put_bytes(&key, part.data, part.len);

	digits = base64_text(&key);
	appendStringInfoString(&out, KEY_BEGIN);
	for (const char *at = digits; *at != '\0'; at += Min(strlen(at), LINE_LENGTH))
		appendStringInfo(&out, "%.*s\n", LINE_LENGTH, at);
	appendStringInfoString(&out, KEY_END);
	wipe_buffer(&part);
	wipe_buffer(&key);
	explicit_bzero(digits, strlen(digits));
	pfree(digits);
	return out.data;
}
