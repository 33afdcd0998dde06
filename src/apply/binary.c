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
 *	  on lc_monetary; xml, which depends on how the server was built;
 *	  int2vector and oidvector, whose receive functions refuse an empty one.
 *	  An infinite interval of release 17 is a wrong finite one for earlier
 *	  releases, and COPY would take it: interval only where both sides agree.
 *
 *	  A row without a key is found by its image, which must then be the same
 *	  whether the row came in binary or in text, now or in a copy long ago.
 *	  tsquery is not on the list because its receive function lays the words
 *	  out in another order than its input function.  Types that hold floating
 *	  point may come in binary only in tables with a key: a NaN keeps its sign
 *	  there (infinity minus infinity has one) and loses it in text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "apply/apply.h"
#include "catalog/pg_type.h"
#include "compat/write.h"

/* Base types and the arrays of them; ascending, for the search. */
static const Oid safe_types[] = {
	16,							/* bool */
	17,							/* bytea */
	18,							/* "char" */
	19,							/* name */
	20,							/* int8 */
	21,							/* int2 */
	23,							/* int4 */
	25,							/* text */
	26,							/* oid */
	27,							/* tid */
	28,							/* xid */
	29,							/* cid */
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
	1187,						/* interval[] */
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
	3643,						/* tsvector[] */
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

/* Those of them that hold floating point; ascending. */
static const Oid float_types[] = {
	600,						/* point */
	601,						/* lseg */
	602,						/* path */
	603,						/* box */
	604,						/* polygon */
	628,						/* line */
	629,						/* line[] */
	700,						/* float4 */
	701,						/* float8 */
	718,						/* circle */
	719,						/* circle[] */
	1017,						/* point[] */
	1018,						/* lseg[] */
	1019,						/* path[] */
	1020,						/* box[] */
	1021,						/* float4[] */
	1022,						/* float8[] */
	1027						/* polygon[] */
};

/* Is a type on an ascending list? */
static bool
is_listed(Oid type, const Oid *list, int length)
{
	int			low = 0;
	int			high = length;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (list[middle] == type)
			return true;
		if (list[middle] < type)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * May values of this type come in binary from an upstream of this version
 * (150018), in a table with or without a key?
 */
static bool
type_is_safe(Oid upstream_type, bool keyless, int version)
{
	if (keyless && is_listed(upstream_type, float_types, lengthof(float_types)))
		return false;
	if ((upstream_type == INTERVALOID || upstream_type == INTERVALARRAYOID) &&
		version >= 170000 && !mzi_compat_has_infinite_interval)
		return false;
	return is_listed(upstream_type, safe_types, lengthof(safe_types));
}

/*
 * May every column of these tables (of MziTable *) come in binary from an
 * upstream of this version (150018)?  Columns
 * ingested as text need the text form.
 */
bool
mzi_binary_is_safe(List *tables, int version)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		const MziTable *table = lfirst(cell);

		for (int i = 0; i < table->ncolumns; i++)
			if (table->columns[i].as_text ||
				!type_is_safe(table->columns[i].upstream_type,
							  table->nkeys == 0, version))
				return false;
	}
	return true;
}
