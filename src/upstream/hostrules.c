/*-------------------------------------------------------------------------
 *
 * hostrules.c
 *	  Where connections of roles that are not superusers may lead.
 *
 * NOTES
 *	  Such a role must not use the server to reach what only the server can
 *	  reach: itself (trust authentication on loopback or a socket), its
 *	  neighbours on the link (address services of clouds), or hosts that the
 *	  administrator did not name in mz_ingest.allowed_hosts.  The name is
 *	  checked when the connection is built, the addresses each time it is
 *	  resolved, and the address that was checked is the one libpq gets: a
 *	  name server that answers differently the second time gains nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "upstream/session_private.h"
#include "utils/varlena.h"

/* Is the host a Unix-domain socket's directory (or an abstract socket)? */
bool
mzi_host_is_path(const char *host)
{
	return host[0] == '/' || host[0] == '@';
}

/*
 * Ereports unless the host is in mz_ingest.allowed_hosts, letter case aside.
 */
void
mzi_host_check_allowed(const char *host)
{
	List	   *allowed = NIL;
	ListCell   *cell;
	char	   *setting = pstrdup(mzi_allowed_hosts ? mzi_allowed_hosts : "");

	if (!mzi_host_is_path(host) && SplitGUCList(setting, ',', &allowed))
	{
		foreach(cell, allowed)
		{
			if (pg_strcasecmp(lfirst(cell), host) == 0)
				return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("host \"%s\" is not allowed for roles that are not superusers", host),
			 errhint("A superuser can allow it: ALTER SYSTEM SET mz_ingest.allowed_hosts = '%s'; SELECT pg_reload_conf();",
					 host)));
}

/* Is the IPv4 address one that nobody but this host may mean? */
static bool
ipv4_is_local(const unsigned char *b)
{
	return b[0] == 0 ||			/* this network */
		b[0] == 127 ||			/* loopback */
		(b[0] == 169 && b[1] == 254) || /* link-local */
		b[0] >= 224;			/* multicast, reserved, broadcast */
}

/*
 * The IPv4 address inside an IPv6 one that a gateway or the kernel would
 * take out again; NULL if there is none.
 */
static const unsigned char *
embedded_ipv4(const unsigned char *b)
{
	static const unsigned char mapped[12] = {[10] = 0xff,[11] = 0xff};
	static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};
	static const unsigned char compatible[12] = {0};

	if (memcmp(b, mapped, 12) == 0 || memcmp(b, translated, 12) == 0 ||
		memcmp(b, compatible, 12) == 0)
		return b + 12;
	if (b[0] == 0x20 && b[1] == 0x02)	/* 6to4 */
		return b + 2;
	return NULL;
}

/* The same for IPv6; :: and ::1 are in the range of embedded addresses. */
static bool
ipv6_is_local(const unsigned char *b)
{
	const unsigned char *inner = embedded_ipv4(b);

	if (inner != NULL && ipv4_is_local(inner))
		return true;
	return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||	/* link-local */
		(b[0] == 0xfe && (b[1] & 0xc0) == 0xc0) ||	/* site-local, old */
		b[0] == 0xff;			/* multicast */
}

/* Does an interface of this machine have the address? */
static bool
address_is_own(struct ifaddrs *interfaces, const MziAddress *address)
{
	const unsigned char *ipv4 = address->family == AF_INET ?
	address->bytes : embedded_ipv4(address->bytes);

	for (struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next)
	{
		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET && ipv4 != NULL &&
			memcmp(&((struct sockaddr_in *) i->ifa_addr)->sin_addr, ipv4, 4) == 0)
			return true;
		if (i->ifa_addr->sa_family == AF_INET6 && address->family == AF_INET6 &&
			memcmp(&((struct sockaddr_in6 *) i->ifa_addr)->sin6_addr,
				   address->bytes, 16) == 0)
			return true;
	}
	return false;
}

/*
 * Ereports when any of the addresses leads to this machine or its link.
 * One bad address spoils all: which one is used is not ours to rely on.
 */
void
mzi_host_check_addresses(const char *host, List *addresses)
{
	struct ifaddrs *interfaces = NULL;
	ListCell   *cell;
	bool		bad = false;

	if (getifaddrs(&interfaces) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not list the addresses of this machine: %m")));
	foreach(cell, addresses)
	{
		const MziAddress *address = lfirst(cell);

		if (address->family == AF_INET ? ipv4_is_local(address->bytes) :
			ipv6_is_local(address->bytes))
			bad = true;
		else if (address_is_own(interfaces, address))
			bad = true;
	}
	freeifaddrs(interfaces);
	if (bad)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("Address resolved to a private IP"),
				 errdetail("Host \"%s\" leads to this machine or its local link.", host),
				 errhint("Only connections owned by a superuser may do that.")));
}
