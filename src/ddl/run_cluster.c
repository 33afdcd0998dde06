/*-------------------------------------------------------------------------
 *
 * run_cluster.c
 *	  CREATE CLUSTER, ALTER CLUSTER, SET CLUSTER and SHOW CLUSTER.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/run.h"
#include "executor/executor.h"

/* CREATE CLUSTER name (options) */
void
mzi_run_create_cluster(MziScript *script, const MziStatement *statement)
{
	if (statement->object == MZI_DDL_CLUSTER_REPLICA)
		mzi_run_refuse(script, statement, "CREATE CLUSTER REPLICA",
					   "A cluster has no replicas of its own; its size is an option of CREATE CLUSTER.");
	mzi_run_option_check(script, statement->options, NULL, NULL);
	mzi_command_create_cluster(mzi_run_one_part(script, &statement->name),
							   mzi_run_option_elements(script, statement->options),
							   statement->if_exists);
}

/* ALTER CLUSTER name SET | RESET (options) */
void
mzi_run_alter_cluster(MziScript *script, const MziStatement *statement)
{
	mzi_run_option_check(script, statement->options, NULL, NULL);
	mzi_command_alter_cluster(mzi_run_one_part(script, &statement->name),
							  mzi_run_option_elements(script, statement->options),
							  statement->if_exists);
}

/* SET CLUSTER = name; without a name the default */
void
mzi_run_set_cluster(MziScript *script, const MziStatement *statement)
{
	if (statement->name.nparts == 0)
		mzi_script_utility(script, "RESET mz_ingest.cluster");
	else
		mzi_command_set_cluster(mzi_run_one_part(script, &statement->name), false);
}

/* SHOW CLUSTER: the setting */
void
mzi_run_show_cluster(MziScript *script, const MziStatement *statement)
{
	mzi_script_query(script,
					 "SELECT pg_catalog.current_setting('mz_ingest.cluster') AS cluster",
					 -1);
}
