/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  mz_ingest.cluster: named sets of resources that sources belong to.
 *
 * NOTES
 *	  A cluster has a name and no schema.  Its size says how many processes
 *	  copy the tables of each of its sources and how much memory a batch may
 *	  take; the settings remain the upper bounds.  Replication factor 0 keeps
 *	  its sources from running.
 *
 *	  Sizes are those of Materialize, old and new: one copy process for every
 *	  50 hundredths of a credit, and 1 MB of changes for each of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/private.h"
#include "catalog/query.h"

/* Hundredths of a credit for which one more process copies tables. */
#define HUNDREDTHS_PER_PROCESS	50

/* The columns in the order of read_cluster(). */
#define CLUSTER_COLUMNS " id, name, owner::oid, size, replication_factor"

/* Sizes that are words, in hundredths of a credit. */
static const struct
{
	const char *name;
	int			hundredths;
}			named_sizes[] =

{
	{"6xsmall", 10}, {"5xsmall", 10}, {"4xsmall", 15}, {"3xsmall", 25},
	{"2xsmall", 50}, {"xsmall", 100}, {"small", 200}, {"medium", 400},
	{"large", 800}, {"xlarge", 1600}, {"2xlarge", 3200}, {"3xlarge", 6400},
	{"4xlarge", 12800}, {"5xlarge", 25600}, {"6xlarge", 51200}
};

/* Reads a number that may have a fraction; NULL when there is none. */
static const char *
read_number(const char *from, double *number)
{
	char	   *end;

	if (!isdigit((unsigned char) from[0]))
		return NULL;
	*number = strtod(from, &end);
	return end;
}

/*
 * The size in hundredths of a credit: "50cc", "1C", "medium", or one of the
 * sizes "4", "4-2" and "scale=4,workers=2" of test environments, which count
 * processes and their threads.  0 when there is no such size.
 */
int
mzi_cluster_size_parse(const char *size)
{
	double		number = 0;
	double		workers = 1;
	const char *end;

	for (int i = 0; i < lengthof(named_sizes); i++)
	{
		if (pg_strcasecmp(size, named_sizes[i].name) == 0)
			return named_sizes[i].hundredths;
	}
	if (pg_strncasecmp(size, "scale=", 6) == 0)
	{
		end = read_number(size + 6, &number);
		if (end == NULL || pg_strncasecmp(end, ",workers=", 9) != 0)
			return 0;
		end = read_number(end + 9, &workers);
		if (end == NULL || (*end != '\0' && *end != ','))
			return 0;
		number *= workers * 100;
	}
	else
	{
		end = read_number(size, &number);
		if (end == NULL)
			return 0;
		if (strcmp(end, "C") == 0 || *end == '\0')
			number *= 100;
		else if (*end == '-' && (end = read_number(end + 1, &workers)) != NULL &&
				 *end == '\0')
			number *= workers * 100;
		else if (pg_strcasecmp(end, "cc") != 0)
			return 0;
	}
	return number < 1 ? 0 : (int) Min(number, 1000000);
}

/* How many processes copy the tables of one source; limit is the setting. */
int
mzi_cluster_copy_processes(int hundredths, int limit)
{
	if (hundredths == 0)
		return limit;
	return Max(1, Min(limit, (hundredths + HUNDREDTHS_PER_PROCESS - 1) /
					  HUNDREDTHS_PER_PROCESS));
}

/* How many kB of changes a source holds in memory; limit is the setting. */
int
mzi_cluster_batch_kb(int hundredths, int limit)
{
	if (hundredths == 0)
		return limit;
	return (int) Min((int64) limit, (int64) hundredths * 1024);
}

/* Reads the current row. */
static MziCluster *
read_cluster(MziQuery *query)
{
	MziCluster *cluster = MemoryContextAllocZero(query->caller, sizeof(MziCluster));

	cluster->id = mzi_get_int64(query);
	cluster->name = mzi_get_name(query);
	cluster->owner = mzi_get_oid(query);
	cluster->size = mzi_get_text(query);
	cluster->replication_factor = mzi_get_int32(query);
	return cluster;
}

/* Finds a cluster by name. */
MziCluster *
mzi_cluster_find(const char *name, bool missing_ok)
{
	MziQuery	query;
	MziCluster *cluster = NULL;

	mzi_query_open(&query);
	mzi_put_name(&query, name);
	mzi_query_run(&query, "SELECT" CLUSTER_COLUMNS
				  " FROM mz_ingest.cluster WHERE name = $1");
	if (mzi_query_next(&query))
		cluster = read_cluster(&query);
	mzi_query_close(&query);

	if (cluster == NULL && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("unknown cluster '%s'", name),
				 errhint("mz_ingest.clusters lists the clusters. They are made with mz_ingest.create_cluster(name => '%s', size => '100cc').",
						 name)));
	return cluster;
}

/* Loads a cluster that must exist, because something refers to it. */
MziCluster *
mzi_cluster_load(int64 id)
{
	MziQuery	query;
	MziCluster *cluster;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "SELECT" CLUSTER_COLUMNS
				  " FROM mz_ingest.cluster WHERE id = $1");
	if (!mzi_query_next(&query))
		elog(ERROR, "cluster " INT64_FORMAT " does not exist", id);
	cluster = read_cluster(&query);
	mzi_query_close(&query);
	return cluster;
}

/*
 * Adds a cluster of the caller's; fills in id and owner.  False when the name
 * is taken.
 */
bool
mzi_cluster_insert(MziCluster *cluster)
{
	MziQuery	query;
	bool		inserted;

	mzi_query_open(&query);
	cluster->owner = query.saved.user;
	mzi_put_name(&query, cluster->name);
	mzi_put_oid(&query, cluster->owner);
	mzi_put_text(&query, cluster->size);
	mzi_put_int32(&query, cluster->replication_factor);
	mzi_query_run(&query,
				  "INSERT INTO mz_ingest.cluster (name, owner, size, replication_factor)"
				  " VALUES ($1, $2::regrole, $3, $4)"
				  " ON CONFLICT (name) DO NOTHING RETURNING id");
	inserted = mzi_query_next(&query);
	if (inserted)
		cluster->id = mzi_get_int64(&query);
	mzi_query_close(&query);
	return inserted;
}

/* Stores size and replication factor. */
void
mzi_cluster_update(const MziCluster *cluster)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, cluster->id);
	mzi_put_text(&query, cluster->size);
	mzi_put_int32(&query, cluster->replication_factor);
	mzi_query_run(&query,
				  "UPDATE mz_ingest.cluster SET size = $2, replication_factor = $3"
				  " WHERE id = $1");
	mzi_query_close(&query);
}

/* Removes a cluster; sources in it make that fail. */
void
mzi_cluster_delete(int64 id)
{
	MziQuery	query;

	mzi_query_open(&query);
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.object_comment WHERE object_id = $1");
	mzi_put_int64(&query, id);
	mzi_query_run(&query, "DELETE FROM mz_ingest.cluster WHERE id = $1");
	mzi_query_close(&query);
}

/* Exchanges the names of two clusters. */
void
mzi_cluster_swap(const MziCluster *a, const MziCluster *b)
{
	MziQuery	query;

	/* a name is unique at each moment: the first one steps aside */
	mzi_query_open(&query);
	mzi_put_int64(&query, a->id);
	mzi_query_run(&query, "UPDATE mz_ingest.cluster SET name = '' WHERE id = $1");
	mzi_put_int64(&query, b->id);
	mzi_put_name(&query, a->name);
	mzi_query_run(&query, "UPDATE mz_ingest.cluster SET name = $2 WHERE id = $1");
	mzi_put_int64(&query, a->id);
	mzi_put_name(&query, b->name);
	mzi_query_run(&query, "UPDATE mz_ingest.cluster SET name = $2 WHERE id = $1");
	mzi_query_close(&query);
}
