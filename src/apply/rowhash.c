/*-------------------------------------------------------------------------
 *
 * rowhash.c
 *	  The hash of a whole row, by which rows without a key are found.
 *
 * NOTES
 *	  mz_ingest.row_hash(record) is the expression of a non-unique btree index
 *	  on such tables.  It hashes the stored image of every column that is not
 *	  NULL, after detoasting, with the column's number as seed: no function of
 *	  a type and no collation takes part, so nothing of a table's owner is
 *	  called, and adding a column without a value changes no hash.  Rows that
 *	  are the same for a type but not as bytes (1.0 and 1.00) are different
 *	  rows, as they are upstream.
 *
 *	  The value is stored in indexes: it must never change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "apply/private.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/typcache.h"

/* A value passed in a Datum, without the bits its type does not have. */
static inline uint64
by_value_image(Datum value, int16 length)
{
	switch (length)
	{
		case 1:
			return (uint8) value;
		case 2:
			return (uint16) value;
		case 4:
			return (uint32) value;
		default:
			return (uint64) value;
	}
}

/* Hashes one value that is not NULL. */
static uint64
hash_value(Form_pg_attribute attribute, Datum value)
{
	uint64		seed = (uint64) attribute->attnum;

	if (attribute->attbyval)
	{
		uint64		image = by_value_image(value, attribute->attlen);

		return hash_bytes_extended((unsigned char *) &image, sizeof(image),
								   seed);
	}
	if (attribute->attlen == -1)
	{
		struct varlena *plain = PG_DETOAST_DATUM_PACKED(value);
		uint64		hash;

		hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(plain),
								   VARSIZE_ANY_EXHDR(plain), seed);
		if ((Pointer) plain != DatumGetPointer(value))
			pfree(plain);
		return hash;
	}
	if (attribute->attlen == -2)
		return hash_bytes_extended((unsigned char *) DatumGetCString(value),
								   strlen(DatumGetCString(value)), seed);
	return hash_bytes_extended((unsigned char *) DatumGetPointer(value),
							   attribute->attlen, seed);
}

/* Hashes a row's values, in the order of the columns' numbers. */
static uint64
hash_row(TupleDesc descriptor, const Datum *values, const bool *nulls)
{
	uint64		hash = 0;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped || nulls[i])
			continue;
		hash = hash_combine64(hash, hash_value(attribute, values[i]));
	}
	return hash;
}

/* The hash of the row in a slot. */
uint64
mzi_rowhash_slot(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	return hash_row(slot->tts_tupleDescriptor, slot->tts_values,
					slot->tts_isnull);
}

/* Are the rows in two slots of one table the same, byte for byte? */
bool
mzi_rowhash_equal(TupleTableSlot *a, TupleTableSlot *b)
{
	TupleDesc	descriptor = a->tts_tupleDescriptor;

	slot_getallattrs(a);
	slot_getallattrs(b);
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped)
			continue;
		if (a->tts_isnull[i] != b->tts_isnull[i])
			return false;
		if (a->tts_isnull[i])
			continue;
		if (attribute->attbyval)
		{
			if (by_value_image(a->tts_values[i], attribute->attlen) !=
				by_value_image(b->tts_values[i], attribute->attlen))
				return false;
		}
		else if (!datum_image_eq(a->tts_values[i], b->tts_values[i], false,
								 attribute->attlen))
			return false;
	}
	return true;
}

/* OID of mz_ingest.row_hash(record); InvalidOid when it is not there. */
Oid
mzi_rowhash_function(void)
{
	Oid			arguments[1] = {RECORDOID};

	return LookupFuncName(list_make2(makeString("mz_ingest"),
									 makeString("row_hash")),
						  1, arguments, true);
}

PG_FUNCTION_INFO_V1(mzi_sql_row_hash);

/* mz_ingest.row_hash(record) RETURNS bigint */
Datum
mzi_sql_row_hash(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	HeapTupleData tuple;
	TupleDesc	descriptor;
	Datum	   *values;
	bool	   *nulls;
	uint64		hash;

	descriptor = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
										HeapTupleHeaderGetTypMod(header));
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	values = palloc(descriptor->natts * sizeof(Datum));
	nulls = palloc(descriptor->natts * sizeof(bool));
	heap_deform_tuple(&tuple, descriptor, values, nulls);
	hash = hash_row(descriptor, values, nulls);
	ReleaseTupleDesc(descriptor);
	pfree(values);
	pfree(nulls);
	PG_RETURN_INT64((int64) hash);
}
