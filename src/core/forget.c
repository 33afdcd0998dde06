/*-------------------------------------------------------------------------
 *
 * forget.c
 *	  Takes a database that is gone out of shared memory.
 *
 * NOTES
 *	  Scouts keep shared memory in line with the catalogs of databases that
 *	  exist.  One that was dropped cannot be scouted any more: without this,
 *	  its sources would be started for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/shared.h"

/* Removes a database from a list of databases; returns how many are left. */
static int
remove_from_list(Oid *list, int count, Oid database)
{
	for (int i = 0; i < count; i++)
	{
		if (list[i] == database)
			list[i--] = list[--count];
	}
	return count;
}

/* Removes the counters of its tables. */
static void
forget_tables(Oid database)
{
	HASH_SEQ_STATUS status;
	MziTableShared *table;

	LWLockAcquire(mzi_shared->table_lock, LW_EXCLUSIVE);
	hash_seq_init(&status, mzi_shared_tables);
	while ((table = hash_seq_search(&status)) != NULL)
	{
		if (table->key.database == database)
			hash_search(mzi_shared_tables, &table->key, HASH_REMOVE, NULL);
	}
	LWLockRelease(mzi_shared->table_lock);
}

/*
 * Forgets all that is known of a database that has been dropped.  Its workers
 * have gone: nobody can be connected to it.
 */
void
mzi_shmem_forget_database(Oid database)
{
	if (mzi_shared == NULL)
		return;
	LWLockAcquire(mzi_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < mzi_shared->nsources; i++)
	{
		MziSourceShared *source = &mzi_shared->sources[i];

		if (!source->in_use || source->key.database != database)
			continue;
		source->wanted = false;
		source->sync_wanted = false;
		source->state = MZI_SOURCE_DROPPED;
		source->in_use = false;
	}
	mzi_shared->ndirty = remove_from_list(mzi_shared->dirty, mzi_shared->ndirty, database);
	mzi_shared->norphans = remove_from_list(mzi_shared->orphans, mzi_shared->norphans, database);
	LWLockRelease(mzi_shared->lock);
	forget_tables(database);
}
