/*-------------------------------------------------------------------------
 *
 * dns.c
 *	  A resolver stub that waits on the latch.
 *
 * NOTES
 *	  Asks the name servers of /etc/resolv.conf for A and AAAA records over
 *	  UDP, as the C library would: names with fewer dots than "ndots" are
 *	  tried with the search domains first, each server in turn, "attempts"
 *	  times, "timeout" seconds each (at most MAX_TIMEOUT_MS here), never past
 *	  the caller's deadline.  Every wait ends at once on an interrupt.
 *
 *	  An answer counts when it comes from the server asked (the socket is
 *	  connected), with the random id and the very question.  It is parsed with
 *	  every read checked against its end.  A truncated answer is used as far
 *	  as it goes; what a host needs fits in the smallest datagram.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "upstream/session_private.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define MAX_SERVERS 3
#define MAX_DOMAINS 8
#define MAX_TIMEOUT_MS 2000
#define MAX_MESSAGE 4096		/* bytes of an answer that are read */
#define MAX_ADDRESSES 64		/* of one host */

#define TYPE_A 1
#define TYPE_AAAA 28
#define CLASS_IN 1
#define RCODE_NXDOMAIN 3

/* /etc/resolv.conf, as far as it matters here. */
typedef struct Resolver
{
	int			nservers;
	struct sockaddr_storage servers[MAX_SERVERS];
	socklen_t	lengths[MAX_SERVERS];	/* of the addresses */
	int			ndomains;
	char	   *domains[MAX_DOMAINS];	/* "search" */
	int			ndots;
	int			attempts;
	long		timeout_ms;		/* of one attempt at one server */
} Resolver;

/* What became of a question. */
typedef enum Outcome
{
	OUTCOME_ANSWER,				/* there are addresses */
	OUTCOME_NONE,				/* the name does not exist or has none */
	OUTCOME_FAILED				/* no use in this server: try another */
} Outcome;

/* Two questions (A, AAAA) on their way to one server. */
typedef struct Exchange
{
	uint16		ids[2];
	bool		done[2];
	bool		refused;		/* the server cannot say */
	unsigned char question[300];	/* name, type, class of the first one */
	int			question_length;
} Exchange;

static const uint16 question_types[2] = {TYPE_A, TYPE_AAAA};

/* Adds a name server given as an address. */
static void
add_server(Resolver *resolver, const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,.ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;

	if (resolver->nservers == MAX_SERVERS ||
		getaddrinfo(address, "53", &hints, &found) != 0)
		return;
	memcpy(&resolver->servers[resolver->nservers], found->ai_addr, found->ai_addrlen);
	resolver->lengths[resolver->nservers++] = found->ai_addrlen;
	freeaddrinfo(found);
}

/* Reads one "options" word. */
static void
read_option(Resolver *resolver, const char *word)
{
	if (strncmp(word, "ndots:", 6) == 0)
		resolver->ndots = Min(Max(atoi(word + 6), 0), 15);
	else if (strncmp(word, "attempts:", 9) == 0)
		resolver->attempts = Min(Max(atoi(word + 9), 1), 5);
	else if (strncmp(word, "timeout:", 8) == 0)
		resolver->timeout_ms = Min(Max(atoi(word + 8), 1) * 1000, MAX_TIMEOUT_MS);
}

/* Reads one line. */
static void
read_line(Resolver *resolver, char *line)
{
	char	   *rest;
	char	   *keyword = strtok_r(line, " \t\r\n", &rest);
	char	   *word;

	if (keyword == NULL || keyword[0] == '#' || keyword[0] == ';')
		return;
	if (strcmp(keyword, "search") == 0 || strcmp(keyword, "domain") == 0)
		resolver->ndomains = 0; /* the last line counts */
	while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL)
	{
		if (strcmp(keyword, "nameserver") == 0)
			add_server(resolver, word);
		else if (strcmp(keyword, "options") == 0)
			read_option(resolver, word);
		else if ((strcmp(keyword, "search") == 0 || strcmp(keyword, "domain") == 0) &&
				 resolver->ndomains < MAX_DOMAINS)
			resolver->domains[resolver->ndomains++] = pstrdup(word);
	}
}

/* Reads /etc/resolv.conf; without one the server is this machine. */
static void
read_configuration(Resolver *resolver)
{
	FILE	   *file = AllocateFile(RESOLV_CONF, "r");
	char		line[1024];

	memset(resolver, 0, sizeof(*resolver));
	resolver->ndots = 1;
	resolver->attempts = 2;
	resolver->timeout_ms = MAX_TIMEOUT_MS;
	if (file != NULL)
	{
		while (fgets(line, sizeof(line), file) != NULL)
			read_line(resolver, line);
		FreeFile(file);
	}
	if (resolver->nservers == 0)
		add_server(resolver, "127.0.0.1");
}

/*
 * Writes the question part (name, type, class) for a name; returns its length
 * or -1 when the text is no DNS name.
 */
static int
write_question(unsigned char *out, size_t size, const char *name, uint16 type)
{
	size_t		used = 0;

	while (*name != '\0')
	{
		size_t		label = strcspn(name, ".");

		if (label == 0 || label > 63 || used + label + 1 > 254)
			return -1;
		out[used++] = (unsigned char) label;
		memcpy(out + used, name, label);
		used += label;
		name += label;
		if (*name == '.')
			name++;
	}
	if (used == 0 || used + 5 > size)
		return -1;
	out[used++] = 0;
	out[used++] = type >> 8;
	out[used++] = type & 0xff;
	out[used++] = 0;
	out[used++] = CLASS_IN;
	return (int) used;
}

/* Sends the open questions of an exchange; false when the server is out of reach. */
static bool
send_questions(int fd, Exchange *exchange)
{
	for (int i = 0; i < 2; i++)
	{
		unsigned char message[12 + sizeof(exchange->question)] = {0};
		int			length = 12 + exchange->question_length;

		message[0] = exchange->ids[i] >> 8;
		message[1] = exchange->ids[i] & 0xff;
		message[2] = 0x01;		/* recursion desired */
		message[5] = 1;			/* one question */
		memcpy(message + 12, exchange->question, exchange->question_length);
		message[length - 4] = question_types[i] >> 8;
		message[length - 3] = question_types[i] & 0xff;
		if (send(fd, message, length, 0) != length)
			return false;
	}
	return true;
}

/* Steps over a name in a message; NULL when it runs out of it. */
static const unsigned char *
skip_name(const unsigned char *at, const unsigned char *end)
{
	while (at < end)
	{
		if (*at == 0)
			return at + 1;
		if ((*at & 0xc0) == 0xc0)	/* a pointer ends the name */
			return end - at >= 2 ? at + 2 : NULL;
		if ((*at & 0xc0) != 0)
			return NULL;
		at += 1 + *at;
	}
	return NULL;
}

/* Appends one address record's data. */
static void
add_record(List **addresses, int family, const unsigned char *bytes)
{
	MziAddress *address;
	char		name[INET6_ADDRSTRLEN];

	if (list_length(*addresses) >= MAX_ADDRESSES)
		return;
	address = palloc0(sizeof(MziAddress));
	address->family = family;
	memcpy(address->bytes, bytes, family == AF_INET ? 4 : 16);
	inet_ntop(family, bytes, name, sizeof(name));
	address->text = pstrdup(name);
	*addresses = lappend(*addresses, address);
}

/* Takes the address records out of the answer part of a message. */
static void
read_records(const unsigned char *at, const unsigned char *end, int count,
			 List **addresses)
{
	while (count-- > 0)
	{
		int			type;
		int			class;
		int			length;

		at = skip_name(at, end);
		if (at == NULL || end - at < 10)
			return;
		type = at[0] << 8 | at[1];
		class = at[2] << 8 | at[3];
		length = at[8] << 8 | at[9];
		at += 10;
		if (end - at < length)
			return;
		if (class == CLASS_IN && type == TYPE_A && length == 4)
			add_record(addresses, AF_INET, at);
		else if (class == CLASS_IN && type == TYPE_AAAA && length == 16)
			add_record(addresses, AF_INET6, at);
		at += length;
	}
}

/* Is the question in an answer the i-th of ours?  DNS ignores letter case. */
static bool
question_matches(const Exchange *exchange, int i, const unsigned char *at, int length)
{
	int			name_length = exchange->question_length - 4;

	if (length < exchange->question_length)
		return false;
	for (int n = 0; n < name_length; n++)
	{
		if (pg_ascii_tolower(at[n]) != pg_ascii_tolower(exchange->question[n]))
			return false;
	}
	return (at[name_length] << 8 | at[name_length + 1]) == question_types[i];
}

/* Takes in one datagram; what does not belong to the exchange is ignored. */
static void
read_answer(Exchange *exchange, const unsigned char *message, int length,
			List **addresses)
{
	int			rcode;

	if (length < 12 || (message[2] & 0x80) == 0)
		return;
	rcode = message[3] & 0x0f;
	for (int i = 0; i < 2; i++)
	{
		if (exchange->done[i] ||
			(message[0] << 8 | message[1]) != exchange->ids[i] ||
			!question_matches(exchange, i, message + 12, length - 12))
			continue;
		exchange->done[i] = true;
		if (rcode != 0 && rcode != RCODE_NXDOMAIN)
			exchange->refused = true;
		else if (rcode == 0)
			read_records(message + 12 + exchange->question_length,
						 message + length, message[6] << 8 | message[7], addresses);
		return;
	}
}

/* Sends the questions and reads answers until both are in or time is up. */
static Outcome
converse(int fd, Exchange *exchange, TimestampTz until, List **addresses)
{
	unsigned char message[MAX_MESSAGE];
	bool		latch_seen = false;

	if (!send_questions(fd, exchange))
		return OUTCOME_FAILED;
	while (!exchange->done[0] || !exchange->done[1])
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
		ssize_t		length;

		if (left <= 0)
			break;
		if (WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE |
							  WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							  fd, left, PG_WAIT_EXTENSION) & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			latch_seen = true;	/* the caller's loop must see it too */
		}
		CHECK_FOR_INTERRUPTS();
		length = recv(fd, message, sizeof(message), 0);
		if (length < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			break;				/* nobody listens there */
		if (length > 0)
			read_answer(exchange, message, (int) length, addresses);
	}
	if (latch_seen)
		SetLatch(MyLatch);
	if (*addresses != NIL)
		return OUTCOME_ANSWER;
	if (exchange->refused || !exchange->done[0] || !exchange->done[1])
		return OUTCOME_FAILED;
	return OUTCOME_NONE;
}

/* Asks one server for one full name. */
static Outcome
ask_server(const Resolver *resolver, int server, const char *name,
		   TimestampTz until, List **addresses)
{
	Exchange	exchange = {0};
	volatile int fd;
	volatile Outcome outcome = OUTCOME_FAILED;

	exchange.question_length = write_question(exchange.question,
											  sizeof(exchange.question), name, TYPE_A);
	if (exchange.question_length < 0)
		return OUTCOME_NONE;
	if (!pg_strong_random(exchange.ids, sizeof(exchange.ids)))
		return OUTCOME_FAILED;
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not look up a host name: too many open files"),
				 errhint("Raise max_files_per_process.")));
	fd = socket(resolver->servers[server].ss_family, SOCK_DGRAM, 0);
	PG_TRY();
	{
		if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
			fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
			connect(fd, (const struct sockaddr *) &resolver->servers[server],
					resolver->lengths[server]) == 0)
			outcome = converse(fd, &exchange, until, addresses);
	}
	PG_FINALLY();
	{
		if (fd >= 0)
			close(fd);
		ReleaseExternalFD();
	}
	PG_END_TRY();
	return outcome;
}

/* Asks the servers in turn for one full name. */
static Outcome
ask(const Resolver *resolver, const char *name, TimestampTz deadline,
	List **addresses)
{
	for (int attempt = 0; attempt < resolver->attempts; attempt++)
	{
		for (int server = 0; server < resolver->nservers; server++)
		{
			TimestampTz now = GetCurrentTimestamp();
			TimestampTz until = TimestampTzPlusMilliseconds(now, resolver->timeout_ms);
			Outcome		outcome;

			if (deadline != 0 && now >= deadline)
				return OUTCOME_FAILED;
			if (deadline != 0 && until > deadline)
				until = deadline;
			outcome = ask_server(resolver, server, name, until, addresses);
			if (outcome != OUTCOME_FAILED)
				return outcome;
		}
	}
	return OUTCOME_FAILED;
}

/*
 * Appends the addresses of a host that DNS knows.  Returns false when some
 * question was left without an answer: a lack of addresses proves nothing then.
 */
bool
mzi_dns_lookup(const char *host, TimestampTz deadline, List **addresses)
{
	Resolver	resolver;
	int			dots = 0;
	size_t		length = strlen(host);
	bool		absolute = length > 0 && host[length - 1] == '.';
	bool		failed = false;

	for (const char *c = host; *c != '\0'; c++)
		dots += (*c == '.');
	read_configuration(&resolver);
	/* 0: the whole name, if it looks so; 1: below the domains; 2: the rest */
	for (int round = 0; round < 3 && *addresses == NIL; round++)
	{
		bool		complete = absolute || dots >= resolver.ndots;

		if (round != 1)
		{
			if ((round == 0) == complete)
				failed |= ask(&resolver, host, deadline, addresses) == OUTCOME_FAILED;
			continue;
		}
		for (int i = 0; i < resolver.ndomains && !absolute && *addresses == NIL; i++)
			failed |= ask(&resolver, psprintf("%s.%s", host, resolver.domains[i]),
						  deadline, addresses) == OUTCOME_FAILED;
	}
	return !failed;
}
