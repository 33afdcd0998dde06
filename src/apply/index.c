/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Recognising the index that rows are found by.
 *
 * NOTES
 *	  Indexes are recognised by what they are, never by name: users may rename
 *	  them, and a restored dump makes new ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/private.h"
#include "catalog/pg_am.h"
#include "nodes/primnodes.h"

/* Can the index be scanned and does it hold every row? */
static bool
is_complete_btree(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indisvalid && index->rd_index->indisready &&
		RelationGetIndexPredicate(index) == NIL;
}

/* Is it a btree on mz_ingest.row_hash(table.*) alone? */
bool
mzi_index_is_row_hash(Relation index)
{
	List	   *expressions;
	FuncExpr   *call;

	if (!is_complete_btree(index) || index->rd_index->indisunique ||
		index->rd_index->indnkeyatts != 1)
		return false;
	expressions = RelationGetIndexExpressions(index);
	if (list_length(expressions) != 1 || !IsA(linitial(expressions), FuncExpr))
		return false;
	call = linitial_node(FuncExpr, expressions);
	return call->funcid == mzi_rowhash_function() &&
		list_length(call->args) == 1 && IsA(linitial(call->args), Var) &&
		linitial_node(Var, call->args)->varattno == 0;
}

/* Is it an immediate unique btree on exactly these columns, in any order? */
bool
mzi_index_is_key(Relation index, int nkeys, const AttrNumber *attnums)
{
	if (!is_complete_btree(index) || !index->rd_index->indisunique ||
		!index->rd_index->indimmediate ||
		index->rd_index->indnkeyatts != nkeys)
		return false;
	for (int i = 0; i < nkeys; i++)
	{
		bool		found = false;

		for (int j = 0; j < nkeys; j++)
			if (index->rd_index->indkey.values[i] == attnums[j])
				found = true;
		if (!found)
			return false;
	}
	return true;
}
