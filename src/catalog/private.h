/*-------------------------------------------------------------------------
 *
 * private.h
 *	  What the files of src/catalog tell only each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CATALOG_PRIVATE_H
#define MZI_CATALOG_PRIVATE_H

#include "catalog/catalog.h"
#include "compat/compat.h"

#define MZI_SCHEMA			"mz_ingest"
#define MZI_EXTENSION		"mz_ingest"

/* ---------- catalog.c ---------- */
extern Oid	mzi_catalog_member(const char *name);

/* ---------- keyfile.c: the key under which everything is sealed ---------- */

#define MZI_KEY_LENGTH			32	/* bytes: AES-256 */
#define MZI_FINGERPRINT_LENGTH	16	/* hexadecimal digits */

/* On the stack only; wiped with explicit_bzero as soon as it has been used. */
typedef struct MziSealKey
{
	unsigned char bytes[MZI_KEY_LENGTH];
	char		fingerprint[MZI_FINGERPRINT_LENGTH + 1];
} MziSealKey;

extern char *mzi_key_path(void);
extern bool mzi_key_exists(void);
extern void mzi_key_read(MziSealKey *key, bool create);
pg_noreturn extern void mzi_key_raise_missing(const char *path);

/* ---------- seal.c ---------- */
extern bytea *mzi_seal_with_fingerprint(const char *plain, int length,
										const char *aad, char **fingerprint);
extern char *mzi_unseal_named(bytea *sealed, const char *fingerprint,
							  const char *aad, const char *what, int *length);

/* ---------- secret.c ---------- */
extern bytea *mzi_secret_seal(const char *plain, int length, const char *aad,
							  char **fingerprint);

/* ---------- object.c ---------- */
extern void mzi_object_check_catalog(const char *catalog);

/* ---------- ssh_format.c: a key pair is its seed ---------- */

#define MZI_SSH_SEED_LENGTH		32	/* bytes */

extern void mzi_ssh_generate(unsigned char *seed);
extern char *mzi_ssh_public_text(const unsigned char *seed);
extern char *mzi_ssh_private_text(const unsigned char *seed);

/* ---------- source.c ---------- */
extern List *mzi_source_list_of_connection(int64 connection);

/* ---------- source_table.c ---------- */
extern MziTableState mzi_table_state_parse(const char *name);

/* ---------- cache.c ---------- */
extern void mzi_shadow_invalidate_table(Oid relid);

#endif							/* MZI_CATALOG_PRIVATE_H */
