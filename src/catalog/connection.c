/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  mz_ingest.connection: how to reach an upstream server, or a host to
 *	  tunnel through.
 *
 * NOTES
 *	  Rows name secrets by id; the values stay in mz_ingest.secret until
 *	  somebody connects.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* The columns in the order of read_connection(). */
#define CONNECTION_COLUMNS \
	" id, schema, name, owner::oid, host, port, database, \"user\", user_secret," \
	" password_secret, ssl_mode, ssl_certificate_authority," \
	" ssl_certificate_authority_secret, ssl_certificate," \
	" ssl_certificate_secret, ssl_key_secret, type, ssh_connection, ssh_host_key"

/* Names of MziConnectionType in the table. */
static const char *const type_names[] = {"postgres", "ssh-tunnel"};

/* The type of that name. */
static MziConnectionType
parse_type(const char *name)
{
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (strcmp(type_names[i], name) == 0)
			return (MziConnectionType) i;
	}
	elog(ERROR, "unknown type of connection \"%s\"", name);
}

/* Reads the current row. */
static MziConnection *
read_connection(MziQuery *query)
{
	MziConnection *connection;

	connection = MemoryContextAllocZero(query->caller, sizeof(MziConnection));
	connection->id = mzi_get_int64(query);
	connection->name = mzi_get_object_name(query);
	connection->owner = mzi_get_oid(query);
	connection->host = mzi_get_text(query);
	connection->port = mzi_get_int32(query);
	connection->database = mzi_get_text(query);
	connection->user.text = mzi_get_text(query);
	connection->user.secret = mzi_get_int64(query);
	connection->password_secret = mzi_get_int64(query);
	connection->ssl_mode = mzi_get_text(query);
	connection->ssl_certificate_authority.text = mzi_get_text(query);
	connection->ssl_certificate_authority.secret = mzi_get_int64(query);
	connection->ssl_certificate.text = mzi_get_text(query);
	connection->ssl_certificate.secret = mzi_get_int64(query);
	connection->ssl_key_secret = mzi_get_int64(query);
	connection->type = parse_type(mzi_get_text(query));
	connection->tunnel = mzi_get_int64(query);
	connection->host_key = mzi_get_text(query);
	return connection;
}

/* Gives what a user chooses as arguments, in the order of the columns. */
static void
put_properties(MziQuery *query, const MziConnection *connection)
{
	mzi_put_text(query, connection->host);
	mzi_put_int32(query, connection->port);
	mzi_put_text(query, connection->database);
	mzi_put_text(query, connection->user.text);
	mzi_put_int64_or_null(query, connection->user.secret);
	mzi_put_int64_or_null(query, connection->password_secret);
	mzi_put_text(query, connection->ssl_mode);
	mzi_put_text(query, connection->ssl_certificate_authority.text);
	mzi_put_int64_or_null(query, connection->ssl_certificate_authority.secret);
	mzi_put_text(query, connection->ssl_certificate.text);
	mzi_put_int64_or_null(query, connection->ssl_certificate.secret);
	mzi_put_int64_or_null(query, connection->ssl_key_secret);
	mzi_put_text(query, type_names[connection->type]);
	mzi_put_int64_or_null(query, connection->tunnel);
	mzi_put_text(query, connection->host_key);
}

/* Finds a connection by name. */
MziConnection *
mzi_connection_find(MziName name, bool missing_ok)
{
	MziQuery	query;
	MziConnection *connection = NULL;

	mzi_query_open(&query);
	mzi_put_object_name(&query, name);
	mzi_query_run(&query,
				  "SELECT" CONNECTION_COLUMNS
				  " FROM mz_ingest.connection WHERE schema = $1 AND name = $2");
	if (mzi_query_next(&query))
		connection = read_connection(&query);
	mzi_query_close(&query);

	if (connection == NULL && !missing_ok)
		mzi_name_unknown("connection", name,
						 psprintf("Connections are made with mz_ingest.create_connection(name => '%s', ...).",
								  mzi_name_quote(name)));
	return connection;
}

/* Loads a connection that must exist, because something refers to it. */
MziConnection *
mzi_connection_load(int64 id)
{
	MziQuery	query;
	MziConnection *connection;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT" CONNECTION_COLUMNS
				  " FROM mz_ingest.connection WHERE id = $1");
	if (!mzi_query_next(&query))
		elog(ERROR, "connection " INT64_FORMAT " does not exist", id);
	connection = read_connection(&query);
	mzi_query_close(&query);
	return connection;
}

/*
 * Adds a connection of the caller's; fills in its id and owner, and returns
 * the id.
 */
int64
mzi_connection_insert(MziConnection *connection)
{
	MziQuery	query;
	bool		inserted;

	mzi_query_open(&query);
	connection->owner = query.saved.user;
	mzi_put_object_name(&query, connection->name);
	mzi_put_oid(&query, connection->owner);
	put_properties(&query, connection);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.connection"
				  " (schema, name, owner, host, port, database, \"user\","
				  " user_secret, password_secret, ssl_mode,"
				  " ssl_certificate_authority, ssl_certificate_authority_secret,"
				  " ssl_certificate, ssl_certificate_secret, ssl_key_secret,"
				  " type, ssh_connection, ssh_host_key)"
				  " VALUES ($1, $2, $3::regrole, $4, $5, $6, $7, $8, $9, $10,"
				  " $11, $12, $13, $14, $15, $16, $17, $18)"
				  " ON CONFLICT (schema, name) DO NOTHING RETURNING id");
	inserted = mzi_query_next(&query);
	if (inserted)
		connection->id = mzi_get_int64(&query);
	mzi_query_close(&query);
	if (!inserted)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("connection \"%s\" already exists",
						mzi_name_quote(connection->name)),
				 errhint("Change it with mz_ingest.alter_connection(name => '%s', ...).",
						 mzi_name_quote(connection->name))));
	return connection->id;
}

/* Stores changed properties; name and owner stay. */
void
mzi_connection_update(const MziConnection *connection)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, connection->id);
	put_properties(&query, connection);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.connection SET"
				  " host = $2, port = $3, database = $4, \"user\" = $5,"
				  " user_secret = $6, password_secret = $7, ssl_mode = $8,"
				  " ssl_certificate_authority = $9,"
				  " ssl_certificate_authority_secret = $10,"
				  " ssl_certificate = $11, ssl_certificate_secret = $12,"
				  " ssl_key_secret = $13, type = $14, ssh_connection = $15,"
				  " ssh_host_key = $16"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* Removes a connection; sources that use it make that fail. */
void
mzi_connection_delete(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.object_comment WHERE object_id = $1");
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.connection WHERE id = $1");
	mzi_query_close(&query);
}

/*
 * Records the key by which an SSH tunnel's host is known from now on, unless
 * one is known already.
 */
void
mzi_connection_set_host_key(int64 id, const char *host_key)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_put_text(&query, host_key);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.connection SET ssh_host_key = $2"
				  " WHERE id = $1 AND ssh_host_key IS NULL");
	mzi_query_close(&query);
}

/* The connections that go through an SSH tunnel: MziConnection *, by id. */
List *
mzi_connection_tunnelled(int64 id)
{
	MziQuery	query;
	List	   *result = NIL;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT" CONNECTION_COLUMNS
				  " FROM mz_ingest.connection WHERE ssh_connection = $1 ORDER BY id");
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);

		result = lappend(result, read_connection(&query));
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	return result;
}

/*
 * What uses a connection, for a message: 'connection "x"' of those that go
 * through it, 'source "x"'.
 */
List *
mzi_connection_dependents(int64 id)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, mzi_connection_tunnelled(id))
	{
		MziConnection *connection = lfirst(cell);

		result = lappend(result, psprintf("connection \"%s\"",
										  mzi_name_short(connection->name)));
	}
	foreach(cell, mzi_source_list_of_connection(id))
	{
		MziSource  *source = lfirst(cell);

		result = lappend(result, psprintf("source \"%s\"",
										  mzi_name_short(source->name)));
	}
	return result;
}

/* The sources that use a connection, also through it: MziSource *. */
List *
mzi_connection_sources(int64 id)
{
	List	   *result = mzi_source_list_of_connection(id);
	ListCell   *cell;

	foreach(cell, mzi_connection_tunnelled(id))
	{
		MziConnection *connection = lfirst(cell);

		result = list_concat(result, mzi_source_list_of_connection(connection->id));
	}
	return result;
}

/* The names of the connections that use a secret: MziName *, by id. */
List *
mzi_secret_connections(int64 id)
{
	MziQuery	query;
	List	   *result = NIL;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query,
				  "SELECT schema, name FROM mz_ingest.connection"
				  " WHERE $1 IN (user_secret, password_secret,"
				  " ssl_certificate_authority_secret, ssl_certificate_secret,"
				  " ssl_key_secret) ORDER BY id");
	while (mzi_query_next(&query))
	{
		MemoryContext old = MemoryContextSwitchTo(query.caller);
		MziName    *name = palloc(sizeof(MziName));

		*name = mzi_get_object_name(&query);
		result = lappend(result, name);
		MemoryContextSwitchTo(old);
	}
	mzi_query_close(&query);
	return result;
}

/* The connections that use a secret, for a message: 'connection "x"'. */
List *
mzi_secret_dependents(int64 id)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, mzi_secret_connections(id))
		result = lappend(result,
						 psprintf("connection \"%s\"",
								  mzi_name_short(*(MziName *) lfirst(cell))));
	return result;
}
