/*-------------------------------------------------------------------------
 *
 * errors.c
 *	  Which failures heal by themselves.
 *
 * NOTES
 *	  One table for both sides: the upstream's SQLSTATEs are raised here under
 *	  their own code.  What is not known is taken for transient: a retry does
 *	  no harm, giving up would.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/core.h"
#include "mb/pg_wchar.h"

/* Is the SQLSTATE in the class of two characters? */
static bool
in_class(int sqlstate, char first, char second)
{
	return ERRCODE_TO_CATEGORY(sqlstate) ==
		ERRCODE_TO_CATEGORY(MAKE_SQLSTATE(first, second, '0', '0', '0'));
}

/*
 * Tells the class of a failure of a worker from its SQLSTATE.
 *
 * A definite error of one table is taken out first by the caller
 * (mzi_error_blames_table); what is definite here stops the source.
 */
MziErrorClass
mzi_error_classify(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_MZI_UPSTREAM_IDENTITY:
		case ERRCODE_MZI_SLOT_LOST:
		case ERRCODE_MZI_PUBLICATION_CHANGED:
		case ERRCODE_UNDEFINED_OBJECT:	/* the slot or the publication */
			return MZI_ERROR_DEFINITE;
		case ERRCODE_MZI_SECRET_KEY:
		case ERRCODE_MZI_UPSTREAM_REQUIREMENTS:
		case ERRCODE_INVALID_CATALOG_NAME:	/* no such database */
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
		case ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED:	/* password required */
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
		case ERRCODE_CONFIG_FILE_ERROR: /* a program that we need is missing */
			return MZI_ERROR_BLOCKED;
		default:
			break;
	}
	if (in_class(sqlstate, '2', '8'))	/* authentication */
		return MZI_ERROR_BLOCKED;
	return MZI_ERROR_TRANSIENT;
}

/*
 * Does an error of this code, raised while a table is being applied, stop
 * that table (and only it) for good?
 */
bool
mzi_error_blames_table(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_MZI_DIVERGENCE:
		case ERRCODE_MZI_SCHEMA_CHANGE:
		case ERRCODE_MZI_REPLICA_IDENTITY:
		case ERRCODE_MZI_TRUNCATED:
		case ERRCODE_MZI_TABLE_FAILED:
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
		case ERRCODE_UNTRANSLATABLE_CHARACTER:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_INSUFFICIENT_PRIVILEGE:	/* code of the table's owner */
			return true;
		default:
			break;
	}
	return in_class(sqlstate, '2', '2') || in_class(sqlstate, '2', '3') ||
		in_class(sqlstate, '4', '2') ||
		in_class(sqlstate, 'P', '0');	/* code of the table's owner, too */
}

/* Name of an error class, as the status views show it. */
const char *
mzi_error_class_name(MziErrorClass class)
{
	switch (class)
	{
		case MZI_ERROR_TRANSIENT:
			return "transient";
		case MZI_ERROR_BLOCKED:
			return "blocked";
		case MZI_ERROR_DEFINITE:
			return "definite";
	}
	return "unknown";
}

/*
 * Makes a text that came from outside fit for the log: cut to limit bytes
 * (at a character boundary), control characters replaced.  In place.
 */
void
mzi_error_clean_text(char *string, Size limit)
{
	Size		length = strlen(string);

	if (length > limit)
	{
		length = pg_mbcliplen(string, length, limit);
		string[length] = '\0';
	}
	for (Size i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) string[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			string[i] = '?';
	}
}
