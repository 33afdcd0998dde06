/*-------------------------------------------------------------------------
 *
 * privatefiles.c
 *	  Certificates and keys as files, for as long as somebody reads them.
 *
 * NOTES
 *	  libpq takes certificates and keys only from files, and so does ssh.  A
 *	  session that needs them makes a directory of its own (0700) with a
 *	  random name under base/pgsql_tmp, writes 0600 files there, and removes
 *	  all of it as soon as the connection stands or has failed.
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
#include "common/file_utils.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "upstream/session_private.h"

/* The files a directory of ours can hold. */
static const char *const tls_names[] = {"sslrootcert", "sslcert", "sslkey"};
static const char *const ssh_names[] = {
	MZI_FILE_SSH_KEY_1, MZI_FILE_SSH_KEY_2, MZI_FILE_KNOWN_HOSTS
};

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
	session->private_directory = path;
}

/*
 * Writes a value to a file of the session and returns the file's name, which
 * lives as long as the session.  name is one of the above.
 */
char *
mzi_private_file_write(MziSession *session, const char *name, const char *value)
{
	char	   *path = MemoryContextAlloc(session->context, MAXPGPATH);
	size_t		length = strlen(value);
	int			fd;

	if (session->private_directory == NULL)
		make_directory(session);
	snprintf(path, MAXPGPATH, "%s/%s", session->private_directory, name);
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

/* Removes those of the files that are there. */
static void
remove_files(const MziSession *session, const char *const *names, int count)
{
	char		path[MAXPGPATH];

	for (int i = 0; i < count; i++)
	{
		snprintf(path, sizeof(path), "%s/%s", session->private_directory, names[i]);
		(void) unlink(path);
	}
}

/* Removes what one ssh has read, before another one is started. */
void
mzi_private_files_remove_ssh(MziSession *session)
{
	if (session->private_directory != NULL)
		remove_files(session, ssh_names, lengthof(ssh_names));
}

/*
 * Removes the session's files and directory, if it has any.  Never fails: it
 * runs while an error is being handled and while the process ends.
 */
void
mzi_private_files_remove(MziSession *session)
{
	if (session->private_directory == NULL)
		return;
	remove_files(session, tls_names, lengthof(tls_names));
	remove_files(session, ssh_names, lengthof(ssh_names));
	(void) rmdir(session->private_directory);
	session->private_directory = NULL;
}
