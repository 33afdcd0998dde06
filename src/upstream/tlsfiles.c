/*-------------------------------------------------------------------------
 *
 * tlsfiles.c
 *	  Certificates and keys as files, for as long as libpq reads them.
 *
 * NOTES
 *	  libpq takes certificates and keys only from files.  A session that
 *	  needs them makes a directory of its own (0700) with a random name under
 *	  base/pgsql_tmp, writes 0600 files there, and removes all of it as soon
 *	  as the connection stands or has failed.
 *
 *	  The place and the name's beginning are those of PostgreSQL's temporary
 *	  files: what a crash leaves is removed at the next start, and base
 *	  backups do not contain it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "upstream/session_private.h"

/* The files a directory of ours can hold. */
static const char *const file_names[] = {"sslrootcert", "sslcert", "sslkey"};

/* Makes the session's directory. */
static void
make_directory(MziSession *session)
{
	const char *parent = "base/" PG_TEMP_FILES_DIR;
	uint64		random;
	char	   *path;

	if (!pg_strong_random(&random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random file name")));
	if (mkdir(parent, pg_dir_create_mode) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", parent)));
	path = MemoryContextAlloc(session->context, MAXPGPATH);
	snprintf(path, MAXPGPATH, "%s/%s_mz_ingest_%d_" UINT64_FORMAT, parent,
			 PG_TEMP_FILE_PREFIX, MyProcPid, random);
	if (mkdir(path, S_IRWXU) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", path)));
	session->tls_directory = path;
}

/*
 * Writes a value to a file of the session and returns the file's name, which
 * lives as long as the session.  name is one of file_names.
 */
char *
mzi_tls_file_write(MziSession *session, const char *name, const char *value)
{
	char	   *path = MemoryContextAlloc(session->context, MAXPGPATH);
	size_t		length = strlen(value);
	int			fd;

	if (session->tls_directory == NULL)
		make_directory(session);
	snprintf(path, MAXPGPATH, "%s/%s", session->tls_directory, name);
	fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY,
							   S_IRUSR | S_IWUSR);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", path)));
	errno = 0;
	if (write(fd, value, length) != length)
	{
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write to file \"%s\": %m", path)));
	}
	if (CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not close file \"%s\": %m", path)));
	return path;
}

/*
 * Removes the session's files and directory, if it has any.  Never fails: it
 * runs while an error is being handled and while the process ends.
 */
void
mzi_tls_files_remove(MziSession *session)
{
	char		path[MAXPGPATH];

	if (session->tls_directory == NULL)
		return;
	for (int i = 0; i < lengthof(file_names); i++)
	{
		snprintf(path, sizeof(path), "%s/%s", session->tls_directory, file_names[i]);
		(void) unlink(path);
	}
	(void) rmdir(session->tls_directory);
	session->tls_directory = NULL;
}
