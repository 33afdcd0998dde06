/*-------------------------------------------------------------------------
 *
 * address.c
 *	  The addresses of this server's network interfaces.
 *
 * NOTES
 *	  An upstream's firewall must let us in, and sees one of these unless a
 *	  gateway translates them on the way, which cannot be told from here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "monitor/monitor.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mzi_sql_own_addresses);

/* Can a packet to another host have this sender? */
static bool
is_routable(const struct ifaddrs *interface)
{
	const struct sockaddr *address = interface->ifa_addr;

	if (address == NULL || !(interface->ifa_flags & IFF_UP) ||
		(interface->ifa_flags & IFF_LOOPBACK))
		return false;
	if (address->sa_family == AF_INET)
	{
		/* 169.254.0.0/16 is for one link only */
		uint32		ip = ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr);

		return (ip >> 16) != 0xA9FE;
	}
	return address->sa_family == AF_INET6 &&
		!IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *) address)->sin6_addr);
}

/* An address as inet, without a prefix length. */
static Datum
address_datum(const struct sockaddr *address)
{
	char		printed[INET6_ADDRSTRLEN];
	const void *bytes = address->sa_family == AF_INET ?
	(const void *) &((const struct sockaddr_in *) address)->sin_addr :
	(const void *) &((const struct sockaddr_in6 *) address)->sin6_addr;

	if (inet_ntop(address->sa_family, bytes, printed, sizeof(printed)) == NULL)
		elog(ERROR, "could not format an address: %m");
	return DirectFunctionCall1(inet_in, CStringGetDatum(printed));
}

/* Puts all addresses into the result; the list is freed whatever happens. */
static void
put_addresses(ReturnSetInfo *result, const struct ifaddrs *interfaces)
{
	for (const struct ifaddrs *one = interfaces; one != NULL; one = one->ifa_next)
	{
		Datum		value;
		bool		null = false;

		if (!is_routable(one))
			continue;
		value = address_datum(one->ifa_addr);
		tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
	}
}

/*
 * mz_ingest.own_addresses(): none for who is not a member of pg_monitor, as
 * they tell of the network around the server.
 */
Datum
mzi_sql_own_addresses(PG_FUNCTION_ARGS)
{
	struct ifaddrs *interfaces;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		return (Datum) 0;
	if (getifaddrs(&interfaces) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not read the addresses of network interfaces: %m")));
	PG_TRY();
	{
		put_addresses((ReturnSetInfo *) fcinfo->resultinfo, interfaces);
	}
	PG_FINALLY();
	{
		freeifaddrs(interfaces);
	}
	PG_END_TRY();
	return (Datum) 0;
}
