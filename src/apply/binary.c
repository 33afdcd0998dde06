/*-------------------------------------------------------------------------
 *
 * binary.c
 *	  Which types may come in binary.
 *
 * NOTES
 *	  A fixed list of types that come with the server: their OIDs are assigned
 *	  by hand and never used again, and their binary form is the same in all
 *	  releases, so that both sides mean the same without asking.  A source is
 *	  read in binary only when every column of its tables is on it.
 *
 *	  Not on it, though built in: names of catalog objects (regclass and its
 *	  kin, aclitem), whose OIDs mean something else here; money, which depends
 *	  on lc_monetary; xml, which depends on how the server was built; arrays of
 *	  interval, since an infinite interval of release 17 would be taken for a
 *	  finite one here and only single values are checked for that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/apply.h"
#include "catalog/pg_type.h"

/* Base types and the arrays of them; ascending, for the search. */
static const Oid safe_types[] = {
	16,							/* bool */
	17,							/* bytea */
	18,							/* "char" */
	19,							/* name */
	20,							/* int8 */
	21,							/* int2 */
	22,							/* int2vector */
	23,							/* int4 */
	25,							/* text */
	26,							/* oid */
	27,							/* tid */
	28,							/* xid */
	29,							/* cid */
	30,							/* oidvector */
	114,						/* json */
	199,						/* json[] */
	271,						/* xid8[] */
	600,						/* point */
	601,						/* lseg */
	602,						/* path */
	603,						/* box */
	604,						/* polygon */
	628,						/* line */
	629,						/* line[] */
	650,						/* cidr */
	651,						/* cidr[] */
	700,						/* float4 */
	701,						/* float8 */
	718,						/* circle */
	719,						/* circle[] */
	774,						/* macaddr8 */
	775,						/* macaddr8[] */
	829,						/* macaddr */
	869,						/* inet */
	1000,						/* bool[] */
	1001,						/* bytea[] */
	1002,						/* "char"[] */
	1003,						/* name[] */
	1005,						/* int2[] */
	1007,						/* int4[] */
	1009,						/* text[] */
	1010,						/* tid[] */
	1011,						/* xid[] */
	1012,						/* cid[] */
	1014,						/* bpchar[] */
	1015,						/* varchar[] */
	1016,						/* int8[] */
	1017,						/* point[] */
	1018,						/* lseg[] */
	1019,						/* path[] */
	1020,						/* box[] */
	1021,						/* float4[] */
	1022,						/* float8[] */
	1027,						/* polygon[] */
	1028,						/* oid[] */
	1040,						/* macaddr[] */
	1041,						/* inet[] */
	1042,						/* bpchar */
	1043,						/* varchar */
	1082,						/* date */
	1083,						/* time */
	1114,						/* timestamp */
	1115,						/* timestamp[] */
	1182,						/* date[] */
	1183,						/* time[] */
	1184,						/* timestamptz */
	1185,						/* timestamptz[] */
	1186,						/* interval */
	1231,						/* numeric[] */
	1266,						/* timetz */
	1270,						/* timetz[] */
	1560,						/* bit */
	1561,						/* bit[] */
	1562,						/* varbit */
	1563,						/* varbit[] */
	1700,						/* numeric */
	2950,						/* uuid */
	2951,						/* uuid[] */
	2970,						/* txid_snapshot */
	3220,						/* pg_lsn */
	3221,						/* pg_lsn[] */
	3614,						/* tsvector */
	3615,						/* tsquery */
	3643,						/* tsvector[] */
	3645,						/* tsquery[] */
	3802,						/* jsonb */
	3807,						/* jsonb[] */
	3904,						/* int4range */
	3905,						/* int4range[] */
	3906,						/* numrange */
	3907,						/* numrange[] */
	3908,						/* tsrange */
	3909,						/* tsrange[] */
	3910,						/* tstzrange */
	3911,						/* tstzrange[] */
	3912,						/* daterange */
	3913,						/* daterange[] */
	3926,						/* int8range */
	3927,						/* int8range[] */
	4072,						/* jsonpath */
	4073,						/* jsonpath[] */
	4451,						/* int4multirange */
	4532,						/* nummultirange */
	4533,						/* tsmultirange */
	4534,						/* tstzmultirange */
	4535,						/* datemultirange */
	4536,						/* int8multirange */
	5038,						/* pg_snapshot */
	5069						/* xid8 */
};

/* May values of this upstream type come in binary?  The name plays no part. */
bool
mzi_binary_type_is_safe(Oid upstream_type, const char *type_name)
{
	int			low = 0;
	int			high = lengthof(safe_types);

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (safe_types[middle] == upstream_type)
			return true;
		if (safe_types[middle] < upstream_type)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * May every column of these tables (of MziTable *) come in binary?  Columns
 * ingested as text need the text form.
 */
bool
mzi_binary_is_safe(List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		const MziTable *table = lfirst(cell);

		for (int i = 0; i < table->ncolumns; i++)
			if (table->columns[i].as_text ||
				!mzi_binary_type_is_safe(table->columns[i].upstream_type,
										 table->columns[i].upstream_type_name))
				return false;
	}
	return true;
}
