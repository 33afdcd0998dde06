/*-------------------------------------------------------------------------
 *
 * child.c
 *	  A program as a child of this process: started without a shell, heard,
 *	  ended.
 *
 * NOTES
 *	  Any server process may be the parent, also a backend in the middle of a
 *	  statement.  So between fork and exec the child does nothing but system
 *	  calls that are allowed there: it takes the default action of every
 *	  signal, closes every descriptor that is not its own, and leaves the
 *	  process group, or a cancel of the parent's statement would hit it too.
 *	  All that needs memory is prepared before the fork.
 *
 *	  The kernel ends the child when the parent dies, however that happens.
 *	  The parent ends it with SIGKILL and waits for that: the programs that
 *	  run here have nothing to clean up, and whoever closes a session may be
 *	  handling an error.
 *
 *	  Of the environment the child sees the search path and a plain locale
 *	  only.  Its standard error is a pipe whose ends both do not block: a
 *	  program that talks much loses words, and never waits for us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "miscadmin.h"
#include "storage/fd.h"
#include "upstream/session_private.h"

/* More words are read from the pipe and thrown away. */
#define MAX_WORDS 8192

/* Search path when the server has none. */
#define DEFAULT_PATH "/usr/bin:/bin"

/* What the child is told by the parent, made before the fork. */
typedef struct Orders
{
	const char *path;
	char	   *const *arguments;
	char	   *environment[3];
	int			in_and_out;
	int			errors;
	int			max_descriptor;
	pid_t		parent;
} Orders;

/* Is the file a program that we may run? */
static bool
is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
		access(path, X_OK) == 0;
}

/* The server's search path. */
static const char *
search_path(void)
{
	const char *path = getenv("PATH");

	return path != NULL && path[0] != '\0' ? path : DEFAULT_PATH;
}

/* Where a program is, palloc'd; NULL when it is nowhere. */
char *
mzi_child_find(const char *program)
{
	char	   *rest = pstrdup(search_path());
	char	   *directory;

	if (strchr(program, '/') != NULL)
		return is_program(program) ? pstrdup(program) : NULL;
	while ((directory = strtok_r(rest, ":", &rest)) != NULL)
	{
		char	   *path = psprintf("%s/%s", directory, program);

		if (is_program(path))
			return path;
	}
	return NULL;
}

/* ---------- between fork and exec: system calls only ---------- */

/* Closes everything but the three standard descriptors. */
static void
close_others(int max_descriptor)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3, ~0U, 0) == 0)
		return;
#endif
	for (int descriptor = 3; descriptor < max_descriptor; descriptor++)
		(void) close(descriptor);
}

/* Becomes the program; comes back only if that failed. */
static void
become_program(const Orders *orders)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t	none;

	for (int number = 1; number < NSIG; number++)
		(void) sigaction(number, &standard, NULL);
#ifdef __linux__
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return;
#endif
	if (getppid() != orders->parent)
		return;					/* it died before that was in force */
	if (setsid() < 0 ||
		dup2(orders->in_and_out, STDIN_FILENO) < 0 ||
		dup2(orders->in_and_out, STDOUT_FILENO) < 0 ||
		dup2(orders->errors, STDERR_FILENO) < 0)
		return;
	close_others(orders->max_descriptor);
	(void) umask(S_IRWXG | S_IRWXO);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) execve(orders->path, orders->arguments, orders->environment);
}

/* ---------- in the parent ---------- */

/* Makes the pipe for the child's standard error; ends[0] is to be read. */
static void
make_pipe(int *ends)
{
	if (pipe(ends) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("error setting up ssh: could not make a pipe: %m"),
				 errhint("Raise the limits of open files of the system.")));
	for (int i = 0; i < 2; i++)
	{
		(void) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
		(void) fcntl(ends[i], F_SETFL, O_NONBLOCK);
	}
}

/* One more than the largest descriptor that may be open. */
static int
descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 1024 * 1024)
		return 1024 * 1024;
	return (int) limit.rlim_cur;
}

/*
 * Starts a program with these arguments (the first is its name).  in_and_out
 * becomes its standard input and output.  The child must be empty, and is to
 * be stopped by mzi_child_stop.
 */
void
mzi_child_start(MziChild *child, const char *path, char *const *arguments,
				int in_and_out)
{
	Orders		orders = {path, arguments};
	sigset_t	all;
	sigset_t	before;
	int			ends[2];
	int			saved_errno;

	orders.environment[0] = psprintf("PATH=%s", search_path());
	orders.environment[1] = "LC_ALL=C";
	orders.in_and_out = in_and_out;
	orders.max_descriptor = descriptor_limit();
	orders.parent = getpid();
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("error setting up ssh: too many open files"),
				 errhint("Raise max_files_per_process.")));
	PG_TRY();
	{
		make_pipe(ends);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	child->errors = ends[0];
	orders.errors = ends[1];

	/* no handler of ours may run in the child */
	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &before);
	child->pid = fork();
	if (child->pid == 0)
	{
		become_program(&orders);
		_exit(127);
	}
	saved_errno = errno;
	(void) sigprocmask(SIG_SETMASK, &before, NULL);
	(void) close(ends[1]);
	if (child->pid < 0)
	{
		child->pid = 0;
		errno = saved_errno;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("error setting up ssh: could not start a process: %m"),
				 errhint("Raise the limits of processes and memory of the system.")));
	}
}

/*
 * Appends what the child has written to its standard error, without waiting.
 * False when there will be no more: it has ended.
 */
bool
mzi_child_read(MziChild *child, StringInfo errors)
{
	char		buffer[1024];

	while (child->errors >= 0)
	{
		ssize_t		length = read(child->errors, buffer, sizeof(buffer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
		for (ssize_t i = 0; i < length && errors->len < MAX_WORDS; i++)
		{
			if (buffer[i] != '\0' && buffer[i] != '\r')
				appendStringInfoChar(errors, buffer[i]);
		}
	}
	return false;
}

/* Ends the child, if there is one, and gives back its descriptor. */
void
mzi_child_stop(MziChild *child)
{
	if (child->pid > 0)
	{
		(void) kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child->pid = 0;
	if (child->errors >= 0)
	{
		(void) close(child->errors);
		ReleaseExternalFD();
	}
	child->errors = -1;
}
