/*-------------------------------------------------------------------------
 *
 * cluster.c
 *	  CREATE, ALTER and SET CLUSTER, and what a cluster does to its sources.
 *
 * NOTES
 *	  A cluster is a named set of resources.  Its size bounds how many
 *	  processes copy the tables of each source and how much memory a batch may
 *	  take (catalog/cluster.c); with replication factor 0 its sources rest, in
 *	  state "paused".  The workers learn of a change as of any other: the
 *	  launcher's scout reads the rows after commit.
 *
 *	  A cluster with REPLICAS (...) is one of the size of its first replica
 *	  with as many replicas as are listed.  More than one replica changes
 *	  nothing here: a source has one worker.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

/* What options say; those not given keep their value. */
static void
read_size(MziCluster *cluster, DefElem *option)
{
	char	   *size = defGetString(option);

	if (mzi_cluster_size_parse(size) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown cluster replica size %s", size),
				 errhint("Sizes are hundredths of a credit, as '25cc', '50cc', '100cc' or '400cc', or words from '3xsmall' to '6xlarge'.")));
	cluster->size = size;
}

/* REPLICATION FACTOR, given as a number or as text. */
static void
read_replication_factor(MziCluster *cluster, DefElem *option)
{
	char	   *value = defGetString(option);
	char	   *end;
	long		factor = strtol(value, &end, 10);

	if (end == value || *end != '\0' || factor < 0 || factor > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid REPLICATION FACTOR: %s", value),
				 errhint("0 pauses the sources of the cluster, 1 lets them run.")));
	cluster->replication_factor = (int) factor;
}

/* REPLICAS (name (options), ...): the first one's size, and their number. */
static void
read_replicas(MziCluster *cluster, DefElem *option)
{
	List	   *replicas;
	ListCell   *cell;
	bool		sized = false;

	if (option->arg == NULL || !IsA(option->arg, List))
	{
		cluster->replication_factor = 0;
		return;
	}
	replicas = castNode(List, option->arg);
	foreach(cell, replicas)
	{
		DefElem    *replica = lfirst_node(DefElem, cell);
		ListCell   *other;

		if (replica->arg == NULL || !IsA(replica->arg, List))
			continue;
		foreach(other, castNode(List, replica->arg))
		{
			DefElem    *inner = lfirst_node(DefElem, other);

			if (strcmp(inner->defname, "size") != 0 || sized)
				continue;
			read_size(cluster, inner);
			sized = true;
		}
	}
	cluster->replication_factor = list_length(replicas);
}

/* The value of an option that is reset. */
static void
reset_option(MziCluster *cluster, const char *name)
{
	if (strcmp(name, "replication factor") == 0)
		cluster->replication_factor = 1;
	else if (strcmp(name, "size") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot reset SIZE of a cluster"),
				 errhint("Set it to another size.")));
}

/* Reads all options into the cluster; each may be given once. */
static void
read_options(MziCluster *cluster, List *options)
{
	static const char *const others[] = {
		"managed", "availability zones", "introspection interval",
		"introspection debugging", "disk", "schedule", "workload class",
		"with", "optimizer features", "experimental arrangement compression",
	"arrangement compression"};
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		bool		known = false;

		for (int i = 0; i < foreach_current_index(cell); i++)
		{
			if (strcmp(list_nth_node(DefElem, options, i)->defname, option->defname) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("%s specified more than once",
								mzi_option_upper(option->defname)),
						 errhint("Give each option once.")));
		}
		for (int i = 0; i < lengthof(others); i++)
			known |= strcmp(option->defname, others[i]) == 0;
		if (known)
			continue;
		if (strcmp(option->defname, "replicas") == 0)
			read_replicas(cluster, option);
		else if (strcmp(option->defname, "size") != 0 &&
				 strcmp(option->defname, "replication factor") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("clusters have no option %s", mzi_option_upper(option->defname)),
					 errhint("Options are SIZE and REPLICATION FACTOR.")));
		else if (option->arg == NULL)
			reset_option(cluster, option->defname);
		else if (strcmp(option->defname, "size") == 0)
			read_size(cluster, option);
		else
			read_replication_factor(cluster, option);
	}
}

/* CREATE CLUSTER. */
void
mzi_command_create_cluster(const char *name, List *options, bool if_not_exists)
{
	MziCluster	cluster = {.name = pstrdup(name),.replication_factor = 1};
	MziName		bare = {NULL, cluster.name};

	if (mzi_cluster_find(name, true) != NULL)
	{
		mzi_command_exists(MZI_OBJECT_CLUSTER, bare, if_not_exists);
		return;
	}
	if (name[0] == '\0' || strncmp(name, "mz_", 3) == 0 || strncmp(name, "pg_", 3) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("cluster name '%s' is reserved", name),
				 errhint("Choose a name that does not begin with mz_ or pg_.")));
	read_options(&cluster, options);
	if (cluster.size == NULL && cluster.replication_factor > 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("SIZE must be specified for managed clusters"),
				 errhint("CREATE CLUSTER %s (SIZE = '100cc')", quote_identifier(name))));
	if (cluster.size == NULL)
		cluster.size = "25cc";
	if (!mzi_cluster_insert(&cluster))
		mzi_command_exists(MZI_OBJECT_CLUSTER, bare, if_not_exists);
}

/* Writes into the history which of the cluster's sources stop or go on. */
static void
note_sources(const MziCluster *cluster)
{
	MziSourceState state = cluster->replication_factor == 0 ?
	MZI_SOURCE_PAUSED : MZI_SOURCE_STARTING;
	ListCell   *cell;

	foreach(cell, mzi_source_list_of_cluster(cluster->id))
	{
		MziSource  *source = lfirst(cell);

		if (!source->paused)
			mzi_history_add("source", source->id, mzi_name_quote(source->name),
							mzi_source_state_name(state), NULL);
	}
}

/* ALTER CLUSTER ... SET | RESET. */
void
mzi_command_alter_cluster(const char *name, List *options, bool if_exists)
{
	MziObjectRow row;
	MziName		bare = {NULL, pstrdup(name)};
	MziCluster *cluster;
	bool		was_halted;

	if (!mzi_command_find_own(MZI_OBJECT_CLUSTER, bare, if_exists, &row))
		return;
	cluster = mzi_cluster_load(row.id);
	was_halted = cluster->replication_factor == 0;
	read_options(cluster, options);
	mzi_cluster_update(cluster);
	if (was_halted != (cluster->replication_factor == 0))
		note_sources(cluster);
	mzi_launcher_wake_at_commit();
}

/* SET CLUSTER: where new sources go; it may be made later. */
void
mzi_command_set_cluster(const char *name, bool local)
{
	if (mzi_cluster_find(name, true) == NULL)
		ereport(NOTICE,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("cluster \"%s\" does not exist", name),
				 errhint("CREATE CLUSTER %s (SIZE = '100cc')", quote_identifier(name))));
	(void) set_config_option("mz_ingest.cluster", name,
							 PGC_USERSET, PGC_S_SESSION,
							 local ? GUC_ACTION_LOCAL : GUC_ACTION_SET, true, 0, false);
}

/* The cluster that a new source goes into; NULL means the session's. */
MziCluster *
mzi_cluster_for_source(const char *name, Oid role)
{
	MziCluster *cluster = mzi_cluster_find(name != NULL ? name : mzi_cluster, false);
	MziName		bare = {NULL, cluster->name};

	mzi_command_check_usage(MZI_OBJECT_CLUSTER, cluster->id, bare, cluster->owner,
							role, ACL_CREATE);
	return cluster;
}

/* ALTER SOURCE ... SET CLUSTER. */
void
mzi_command_set_source_cluster(MziName name, const char *cluster_given, bool if_exists)
{
	MziSource  *source = mzi_command_own_source(name, if_exists);
	MziCluster *cluster;

	if (source == NULL)
		return;
	cluster = mzi_cluster_for_source(cluster_given, GetUserId());
	if (cluster->id == source->cluster)
		return;
	mzi_source_set_cluster(source->id, cluster->id);
	mzi_launcher_wake_at_commit();
}
