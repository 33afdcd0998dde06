/*-------------------------------------------------------------------------
 *
 * findings_private.h
 *	  Findings that name objects.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_FINDINGS_PRIVATE_H
#define MZI_FINDINGS_PRIVATE_H

#include "upstream/upstream.h"

/*
 * As mzi_findings_add, where detail is the beginning of a list and item a
 * member of it (an empty one only keeps the list's place, before lists that are
 * begun later); texts are copied.  item, detail and hint may be NULL.
 */
extern void mzi_findings_add_item(MziFindings *findings, int sqlstate,
								  const char *message, const char *detail,
								  const char *item, const char *hint);

#endif							/* MZI_FINDINGS_PRIVATE_H */
