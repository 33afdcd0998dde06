/*-------------------------------------------------------------------------
 *
 * keyfile.c
 *	  The file with the key under which secrets are sealed.
 *
 * NOTES
 *	  mz_ingest.secret_key_file names it; while that is empty it is
 *	  mz_ingest/secret.key in the data directory, and only there is it made,
 *	  at first use.  It holds 64 hexadecimal digits, which is what
 *	  "openssl rand -hex 32" prints, and its owner and permissions must be
 *	  those that the server asks of ssl_key_file.
 *
 *	  Two backends may make it at the same time: each writes and flushes a
 *	  file of its own and links it to the name, which only the first can do;
 *	  the second reads what the first wrote.  So nobody ever sees half a key,
 *	  and no key is overwritten.  The directory is flushed before the key is
 *	  used, hence before anything sealed under it can be committed.
 *
 *	  The key is read again for each use and never kept.  All failures carry
 *	  ERRCODE_MZI_SECRET_KEY: they wait for an operator.  Needs no
 *	  transaction and no database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "access/xlog.h"
#include "catalog/private.h"
#include "miscadmin.h"
#include "storage/fd.h"

/* The directory of ours in the data directory, and the key in it. */
#define OUR_DIRECTORY	"mz_ingest"
#define KEY_FILE		"secret.key"

#define HEX_LENGTH		(2 * MZI_KEY_LENGTH)

/*
 * Path of the key file.  It need not exist.
 */
char *
mzi_key_path(void)
{
	if (mzi_secret_key_file == NULL || mzi_secret_key_file[0] == '\0')
		return psprintf("%s/%s/%s", DataDir, OUR_DIRECTORY, KEY_FILE);
	if (is_absolute_path(mzi_secret_key_file))
		return pstrdup(mzi_secret_key_file);
	return psprintf("%s/%s", DataDir, mzi_secret_key_file);
}

/* Is there a key file, whatever its state? */
bool
mzi_key_exists(void)
{
	struct stat status;

	return stat(mzi_key_path(), &status) == 0 ||
		(errno != ENOENT && errno != ENOTDIR);
}

/* Raises the error for a key file that is not there. */
void
mzi_key_raise_missing(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SECRET_KEY),
			 errmsg("key file \"%s\" for secrets does not exist", path),
			 errdetail("Secrets can only be read with the key they were sealed under."),
			 errhint("Copy the file from the server where the secrets were made, or from its backup, to that place or to where mz_ingest.secret_key_file points. "
					 "For a new key run \"openssl rand -hex 32\" into a file of mode 0600, then store every secret again.")));
}

/* Raises the error for a step on the key file that failed with errno. */
static void
raise_file_error(const char *action, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_MZI_SECRET_KEY),
			 errmsg("could not %s \"%s\": %m", action, path),
			 errhint("The file of mz_ingest.secret_key_file must be readable for the role that runs the server.")));
}

/*
 * Is this an acceptable owner and mode?  The rule is that of ssl_key_file:
 * ours and for nobody else, or root's and at most readable for a group.
 */
static void
check_permissions(const char *path, const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("key file \"%s\" is not a regular file", path),
				 errhint("Point mz_ingest.secret_key_file to a regular file.")));
	if (status->st_uid != geteuid() && status->st_uid != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("key file \"%s\" must be owned by the database user or root", path),
				 errhint("chown it to the user that runs the server.")));
	if ((status->st_uid == geteuid() &&
		 (status->st_mode & (S_IRWXG | S_IRWXO))) ||
		(status->st_uid == 0 &&
		 (status->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO))))
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("key file \"%s\" has group or world access", path),
				 errdetail("It must have permissions u=rw (0600) or less if owned by the database user, or u=rw,g=r (0640) or less if owned by root."),
				 errhint("chmod 0600 \"%s\"", path)));
}

/* Value of a hexadecimal digit, -1 for anything else. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Takes the key out of the file's text: 64 digits, white space after them.
 */
static bool
parse_key(const char *content, int length, MziSealKey *key)
{
	while (length > 0 && strchr(" \t\r\n", content[length - 1]) != NULL)
		length--;
	if (length != HEX_LENGTH)
		return false;
	for (int i = 0; i < MZI_KEY_LENGTH; i++)
	{
		int			high = hex_digit(content[2 * i]);
		int			low = hex_digit(content[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key->bytes[i] = (unsigned char) (high << 4 | low);
	}
	return true;
}

/* The fingerprint of a key: the first digits of its SHA-256. */
static void
fill_fingerprint(MziSealKey *key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (EVP_Digest(key->bytes, MZI_KEY_LENGTH, digest, &length,
				   EVP_sha256(), NULL) != 1)
	{
		explicit_bzero(key, sizeof(*key));
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute the fingerprint of the key of secrets")));
	}
	for (int i = 0; i < MZI_FINGERPRINT_LENGTH / 2; i++)
		snprintf(key->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

/*
 * Reads the key file.  False when it does not exist; everything else that is
 * wrong with it is an error.
 */
static bool
read_key_file(const char *path, MziSealKey *key)
{
	int			fd;
	struct stat status;
	char		content[HEX_LENGTH + 16];
	ssize_t		length;
	bool		valid;

	/* not blocking: somebody may have put a FIFO there */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return false;
		raise_file_error("open key file", path);
	}
	if (fstat(fd, &status) != 0)
		raise_file_error("stat key file", path);
	check_permissions(path, &status);
	length = read(fd, content, sizeof(content));
	if (length < 0)
		raise_file_error("read key file", path);
	CloseTransientFile(fd);

	valid = parse_key(content, (int) length, key);
	explicit_bzero(content, sizeof(content));
	if (!valid)
	{
		explicit_bzero(key, sizeof(*key));
		ereport(ERROR,
				(errcode(ERRCODE_MZI_SECRET_KEY),
				 errmsg("key file \"%s\" does not hold a key", path),
				 errdetail("It must hold exactly %d hexadecimal digits.", HEX_LENGTH),
				 errhint("Restore it from its backup. \"openssl rand -hex 32\" prints a new key, but nothing sealed before can be read with that.")));
	}
	fill_fingerprint(key);
	return true;
}

/*
 * Writes a new random key to a file that nobody else has, and flushes it.
 */
static void
write_key_file(const char *path)
{
	unsigned char bytes[MZI_KEY_LENGTH];
	char		content[HEX_LENGTH + 2];
	int			fd;
	bool		written;

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values for a key")));
	for (int i = 0; i < MZI_KEY_LENGTH; i++)
		snprintf(content + 2 * i, 3, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	content[HEX_LENGTH] = '\n';

	fd = OpenTransientFilePerm(path, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY,
							   S_IRUSR | S_IWUSR);
	if (fd < 0)
	{
		explicit_bzero(content, sizeof(content));
		raise_file_error("create key file", path);
	}
	errno = 0;
	written = write(fd, content, HEX_LENGTH + 1) == HEX_LENGTH + 1;
	explicit_bzero(content, sizeof(content));
	if (!written || pg_fsync(fd) != 0)
	{
		int			save_errno = errno != 0 ? errno : ENOSPC;

		CloseTransientFile(fd);
		unlink(path);
		errno = save_errno;
		raise_file_error("write key file", path);
	}
	if (CloseTransientFile(fd) != 0)
		raise_file_error("close key file", path);
}

/*
 * Makes the key file in the data directory.  Returns without doing anything
 * when another backend was first.
 */
static void
create_key_file(const char *path)
{
	char	   *directory = psprintf("%s/%s", DataDir, OUR_DIRECTORY);
	char	   *temporary = psprintf("%s/%s.%d.tmp", directory, KEY_FILE,
									 MyProcPid);
	bool		first;

	if (mkdir(directory, S_IRWXU) == 0)
		fsync_fname(DataDir, true);
	else if (errno != EEXIST)
		raise_file_error("create directory", directory);

	unlink(temporary);			/* left by a dead process of our number */
	write_key_file(temporary);
	first = link(temporary, path) == 0;
	if (!first && errno != EEXIST)
	{
		int			save_errno = errno;

		unlink(temporary);
		errno = save_errno;
		raise_file_error("link key file", path);
	}
	unlink(temporary);
	fsync_fname(directory, true);

	if (first)
	{
		ereport(LOG,
				(errmsg("made a key for secrets in \"%s\"", path)));
		ereport(NOTICE,
				(errmsg("made a key for secrets in \"%s\"", path),
				 errhint("Move it out of the data directory, set mz_ingest.secret_key_file to its new place, and back it up apart from the database: "
						 "without it the secrets cannot be read, and a copy of the data directory with the key in it holds them in clear.")));
	}
}

/*
 * Reads the key.  The caller wipes *key after use.
 *
 * With create, a missing file is made, unless mz_ingest.secret_key_file says
 * where it must be: a wrong setting or a disk that is not mounted shall not
 * bring forth a second key.  Nor shall a standby, whose primary has one.
 */
void
mzi_key_read(MziSealKey *key, bool create)
{
	char	   *path = mzi_key_path();

	if (read_key_file(path, key))
		return;
	if (create && !RecoveryInProgress() &&
		(mzi_secret_key_file == NULL || mzi_secret_key_file[0] == '\0'))
	{
		create_key_file(path);
		if (read_key_file(path, key))
			return;
	}
	mzi_key_raise_missing(path);
}
