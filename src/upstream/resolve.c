/*-------------------------------------------------------------------------
 *
 * resolve.c
 *	  Host name to addresses, without ever blocking the server.
 *
 * NOTES
 *	  getaddrinfo may take minutes when a name server is silent, and cannot
 *	  be interrupted: a process that sits in it holds up DROP DATABASE in the
 *	  whole cluster.  A thread or a child has no place in a backend.  So a
 *	  host is looked up as
 *
 *	  1. an address in any form that the C library reads (no network),
 *	  2. a line of /etc/hosts, and "localhost" also without one,
 *	  3. a DNS name, asked by ourselves with waits on the latch (dns.c).
 *
 *	  What that leaves out are names that only another module of the C
 *	  library's name service knows (multicast DNS, LDAP, NIS); for those give
 *	  the address, or a line in /etc/hosts.
 *
 *	  IPv4 addresses come first: where IPv6 is only half set up, its packets
 *	  vanish without an answer, while a missing IPv4 route is told at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "upstream/session_private.h"

#define HOSTS_FILE "/etc/hosts"

/* Makes an MziAddress from what the C library gives; NULL for other families. */
static MziAddress *
address_from_sockaddr(const struct sockaddr *sockaddr, socklen_t length)
{
	MziAddress *address = palloc0(sizeof(MziAddress));
	char		name[NI_MAXHOST];

	address->family = sockaddr->sa_family;
	if (sockaddr->sa_family == AF_INET)
		memcpy(address->bytes, &((const struct sockaddr_in *) sockaddr)->sin_addr, 4);
	else if (sockaddr->sa_family == AF_INET6)
		memcpy(address->bytes, &((const struct sockaddr_in6 *) sockaddr)->sin6_addr, 16);
	else
		return NULL;
	if (getnameinfo(sockaddr, length, name, sizeof(name), NULL, 0, NI_NUMERICHOST) != 0)
		return NULL;
	address->text = pstrdup(name);
	return address;
}

/*
 * The address that the text is, in a list, or NIL when it is none.  Reads
 * the old forms too (127.1, 0x7f000001), because the C library would.
 */
static List *
resolve_numeric(const char *host)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	List	   *addresses = NIL;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return NIL;
	for (struct addrinfo *one = found; one != NULL; one = one->ai_next)
	{
		MziAddress *address = address_from_sockaddr(one->ai_addr, one->ai_addrlen);

		if (address != NULL)
			addresses = lappend(addresses, address);
	}
	freeaddrinfo(found);
	return addresses;
}

/* Does a line of the hosts file (its address taken off) name the host? */
static bool
line_names_host(char *names, const char *host)
{
	char	   *rest = names;
	char	   *name;

	while ((name = strtok_r(NULL, " \t\r\n", &rest)) != NULL)
	{
		if (pg_strcasecmp(name, host) == 0)
			return true;
	}
	return false;
}

/* All addresses that /etc/hosts gives a host. */
static List *
resolve_hosts_file(const char *host)
{
	FILE	   *file = AllocateFile(HOSTS_FILE, "r");
	char		line[1024];
	List	   *addresses = NIL;

	if (file == NULL)
		return NIL;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *address;
		char	   *rest;

		CHECK_FOR_INTERRUPTS();
		line[strcspn(line, "#")] = '\0';
		address = strtok_r(line, " \t\r\n", &rest);
		if (address != NULL && line_names_host(rest, host))
			addresses = list_concat(addresses, resolve_numeric(address));
	}
	FreeFile(file);
	return addresses;
}

/* Is it "localhost" or a name below it? */
static bool
is_localhost(const char *host)
{
	size_t		length = strlen(host);

	return pg_strcasecmp(host, "localhost") == 0 ||
		(length > 10 && pg_strcasecmp(host + length - 10, ".localhost") == 0);
}

/* IPv4 first; otherwise the order is kept. */
static int
compare_families(const ListCell *a, const ListCell *b)
{
	const MziAddress *left = lfirst(a);
	const MziAddress *right = lfirst(b);

	return (left->family == AF_INET ? 0 : 1) - (right->family == AF_INET ? 0 : 1);
}

/*
 * The addresses of a host, of MziAddress *, at least one; ereports when there
 * are none or the deadline passes.  Interruptible.
 */
List *
mzi_resolve(const char *host, TimestampTz deadline)
{
	char	   *name = pstrdup(host);
	size_t		length = strlen(name);
	List	   *addresses;
	bool		answered = true;

	if (length > 2 && name[0] == '[' && name[length - 1] == ']')
	{
		name[length - 1] = '\0';
		name++;
	}
	addresses = resolve_numeric(name);
	if (addresses == NIL)
		addresses = resolve_hosts_file(name);
	if (addresses == NIL && is_localhost(name))
		addresses = list_concat(resolve_numeric("127.0.0.1"), resolve_numeric("::1"));
	if (addresses == NIL)
		answered = mzi_dns_lookup(name, deadline, &addresses);
	if (addresses == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("failed to lookup address information: %s",
						answered ? "Name or service not known" :
						"Temporary failure in name resolution"),
				 errdetail("Host \"%s\" is not an address, not in %s, and %s.",
						   host, HOSTS_FILE,
						   answered ? "not known to the name servers" :
						   "no name server of /etc/resolv.conf answered"),
				 errhint("Correct HOST of the connection, or make the name known to this machine.")));
	list_sort(addresses, compare_families);
	return addresses;
}
