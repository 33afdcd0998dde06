/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The only place that looks at PG_VERSION_NUM.
 *
 * NOTES
 *	  The rest of the code is written for the newest server's signatures where
 *	  they differ; what is older is bridged here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_COMPAT_H
#define MZI_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "mz_ingest needs PostgreSQL 15 or later"
#endif

#endif							/* MZI_COMPAT_H */
