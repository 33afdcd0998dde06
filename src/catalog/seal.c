/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Sealing and unsealing of values with AES-256-GCM.
 *
 * NOTES
 *	  A sealed value is
 *
 *		1 byte		version of this layout
 *		12 bytes	nonce, random, new for each sealing
 *		16 bytes	authentication tag
 *		the rest	ciphertext, as long as the plaintext
 *
 *	  The version byte and a text that names the row ("aad") are
 *	  authenticated with it: a value that was copied to another row, cut or
 *	  changed does not unseal.  The key's fingerprint is stored beside the
 *	  value, so that another key is told apart from a damaged value.
 *
 *	  Keys live on the stack and are wiped before anything can raise an
 *	  error.  Needs no transaction and no database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "catalog/private.h"

#define LAYOUT_VERSION	1
#define NONCE_LENGTH	12
#define TAG_LENGTH		16
#define HEADER_LENGTH	(1 + NONCE_LENGTH + TAG_LENGTH)

/* The parts of a sealed value, as pointers into it. */
typedef struct SealedParts
{
	unsigned char *version;
	unsigned char *nonce;
	unsigned char *tag;
	unsigned char *ciphertext;
	int			length;			/* of the ciphertext, in bytes */
} SealedParts;

/* Points to the parts of a sealed value that is long enough to have them. */
static SealedParts
sealed_parts(bytea *sealed)
{
	SealedParts parts;

	parts.version = (unsigned char *) VARDATA_ANY(sealed);
	parts.nonce = parts.version + 1;
	parts.tag = parts.nonce + NONCE_LENGTH;
	parts.ciphertext = parts.tag + TAG_LENGTH;
	parts.length = (int) VARSIZE_ANY_EXHDR(sealed) - HEADER_LENGTH;
	return parts;
}

/* Encrypts plain into parts, whose version and nonce are set. */
static bool
encrypt(const MziSealKey *key, const char *aad, const char *plain,
		SealedParts *parts)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned char rest[EVP_MAX_BLOCK_LENGTH];
	int			length;
	bool		ok;

	if (context == NULL)
		return false;
	ok = EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL,
							key->bytes, parts->nonce) == 1 &&
		EVP_EncryptUpdate(context, NULL, &length, parts->version, 1) == 1 &&
		EVP_EncryptUpdate(context, NULL, &length,
						  (const unsigned char *) aad, (int) strlen(aad)) == 1 &&
		(parts->length == 0 ||
		 EVP_EncryptUpdate(context, parts->ciphertext, &length,
						   (const unsigned char *) plain, parts->length) == 1) &&
		EVP_EncryptFinal_ex(context, rest, &length) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_LENGTH,
							parts->tag) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* Decrypts into plain; false when key, aad or any byte is not as sealed. */
static bool
decrypt(const MziSealKey *key, const char *aad, SealedParts *parts,
		char *plain)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned char rest[EVP_MAX_BLOCK_LENGTH];
	int			length;
	bool		ok;

	if (context == NULL)
		return false;
	ok = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL,
							key->bytes, parts->nonce) == 1 &&
		EVP_DecryptUpdate(context, NULL, &length, parts->version, 1) == 1 &&
		EVP_DecryptUpdate(context, NULL, &length,
						  (const unsigned char *) aad, (int) strlen(aad)) == 1 &&
		(parts->length == 0 ||
		 EVP_DecryptUpdate(context, (unsigned char *) plain, &length,
						   parts->ciphertext, parts->length) == 1) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_LENGTH,
							parts->tag) == 1 &&
		EVP_DecryptFinal_ex(context, rest, &length) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/*
 * Seals length bytes, making the key at first use.  *fingerprint is that of
 * the key used.
 */
bytea *
mzi_seal_with_fingerprint(const char *plain, int length, const char *aad,
						  char **fingerprint)
{
	MziSealKey	key;
	SealedParts parts;
	bytea	   *sealed;
	bool		ok;

	sealed = palloc0(VARHDRSZ + HEADER_LENGTH + length);
	SET_VARSIZE(sealed, VARHDRSZ + HEADER_LENGTH + length);
	parts = sealed_parts(sealed);
	*parts.version = LAYOUT_VERSION;
	if (!pg_strong_random(parts.nonce, NONCE_LENGTH))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values for a nonce")));
	*fingerprint = palloc(MZI_FINGERPRINT_LENGTH + 1);

	mzi_key_read(&key, true);
	strcpy(*fingerprint, key.fingerprint);
	ok = encrypt(&key, aad, plain, &parts);
	explicit_bzero(&key, sizeof(key));
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not seal %s", aad),
				 errdetail("AES-256-GCM of libcrypto failed.")));
	return sealed;
}

/* Seals length bytes under the present key; aad names what is sealed. */
bytea *
mzi_seal(const char *plain, int length, const char *aad)
{
	char	   *fingerprint;

	return mzi_seal_with_fingerprint(plain, length, aad, &fingerprint);
}

/*
 * Unseals a value.  The result is palloc'd and terminated; the caller wipes
 * it.  what names the value in error messages.
 */
char *
mzi_unseal_named(bytea *sealed, const char *fingerprint, const char *aad,
				 const char *what, int *length)
{
	MziSealKey	key;
	SealedParts parts;
	char		present[MZI_FINGERPRINT_LENGTH + 1];
	char	   *plain;
	bool		ok = false;

	parts = sealed_parts(sealed);
	plain = palloc0(Max(parts.length, 0) + 1);

	mzi_key_read(&key, false);
	strlcpy(present, key.fingerprint, sizeof(present));
	if (strcmp(present, fingerprint) != 0)
	{
		explicit_bzero(&key, sizeof(key));
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("%s was sealed under another key", what),
				 errdetail("The key in \"%s\" has the fingerprint %s, the value was sealed under %s.",
						   mzi_key_path(), present, fingerprint),
				 errhint("Copy the key file of the server where it was sealed to that place, or store the value again.")));
	}
	if (parts.length >= 0 && *parts.version == LAYOUT_VERSION)
		ok = decrypt(&key, aad, &parts, plain);
	explicit_bzero(&key, sizeof(key));
	if (!ok)
	{
		explicit_bzero(plain, Max(parts.length, 0));
		pfree(plain);
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("could not unseal %s", what),
				 errdetail("The stored value was changed, or belongs to another row."),
				 errhint("Store the value again.")));
	}
	*length = parts.length;
	return plain;
}

/* Unseals a value that aad itself names well enough. */
char *
mzi_unseal(bytea *sealed, const char *fingerprint, const char *aad,
		   int *length)
{
	return mzi_unseal_named(sealed, fingerprint, aad, aad, length);
}

/*
 * Fingerprint of the present key: the first 16 hexadecimal digits of its
 * SHA-256.  An error with ERRCODE_MZI_SECRET_KEY when there is no key.
 */
char *
mzi_seal_fingerprint(void)
{
	MziSealKey	key;
	char	   *result = palloc(MZI_FINGERPRINT_LENGTH + 1);

	mzi_key_read(&key, false);
	strcpy(result, key.fingerprint);
	explicit_bzero(&key, sizeof(key));
	return result;
}
