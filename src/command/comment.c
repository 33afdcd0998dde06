/*-------------------------------------------------------------------------
 *
 * comment.c
 *	  COMMENT ON our kinds of objects.
 *
 * NOTES
 *	  Comments on shadow tables are the server's own, as those on all tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "command/private.h"
#include "utils/builtins.h"

/* COMMENT ON SECRET | CONNECTION | SOURCE | CLUSTER | TABLE ... IS ... */
void
mzi_command_comment(MziObjectKind kind, MziName name, const char *comment)
{
	MziObjectRow row;

	if (comment != NULL && comment[0] == '\0')
		comment = NULL;
	if (kind == MZI_OBJECT_TABLE)
	{
		mzi_command_utility(psprintf("COMMENT ON TABLE %s IS %s", mzi_name_quote(name),
									 comment == NULL ? "NULL" :
									 quote_literal_cstr(comment)));
		return;
	}
	mzi_command_find_own(kind, name, false, &row);
	mzi_object_set_comment(row.id, comment);
}
