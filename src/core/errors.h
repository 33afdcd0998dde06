/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  SQLSTATEs of this extension, and the three classes of failure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MZI_CORE_ERRORS_H
#define MZI_CORE_ERRORS_H

#include "utils/elog.h"

/* Class MZ: ours.  Listed in README.md; never renumber. */
#define ERRCODE_MZI_TABLE_NOT_READY			MAKE_SQLSTATE('M','Z','0','0','1')
#define ERRCODE_MZI_TABLE_FAILED			MAKE_SQLSTATE('M','Z','0','0','2')
#define ERRCODE_MZI_DIVERGENCE				MAKE_SQLSTATE('M','Z','0','0','3')
#define ERRCODE_MZI_SCHEMA_CHANGE			MAKE_SQLSTATE('M','Z','0','0','4')
#define ERRCODE_MZI_PROTOCOL_VIOLATION		MAKE_SQLSTATE('M','Z','0','0','5')
#define ERRCODE_MZI_UPSTREAM_IDENTITY		MAKE_SQLSTATE('M','Z','0','0','6')
#define ERRCODE_MZI_SLOT_LOST				MAKE_SQLSTATE('M','Z','0','0','7')
#define ERRCODE_MZI_PUBLICATION_CHANGED		MAKE_SQLSTATE('M','Z','0','0','8')
#define ERRCODE_MZI_REPLICA_IDENTITY		MAKE_SQLSTATE('M','Z','0','0','9')
#define ERRCODE_MZI_SECRET_KEY				MAKE_SQLSTATE('M','Z','0','1','0')
#define ERRCODE_MZI_TRUNCATED				MAKE_SQLSTATE('M','Z','0','1','1')
#define ERRCODE_MZI_NOT_PRELOADED			MAKE_SQLSTATE('M','Z','0','1','2')
#define ERRCODE_MZI_UPSTREAM_REQUIREMENTS	MAKE_SQLSTATE('M','Z','0','1','3')
#define ERRCODE_MZI_READ_ONLY				MAKE_SQLSTATE('M','Z','0','1','4')
#define ERRCODE_MZI_NOT_BOUND				MAKE_SQLSTATE('M','Z','0','1','5')

/*
 * What a failure asks for.
 *	TRANSIENT	heals by itself: back off and try again
 *	BLOCKED		an operator must act (authentication, permission): slow retry
 *	DEFINITE	will never heal: stop exactly what it concerns
 */
typedef enum MziErrorClass
{
	MZI_ERROR_TRANSIENT = 0,
	MZI_ERROR_BLOCKED,
	MZI_ERROR_DEFINITE
} MziErrorClass;

extern MziErrorClass mzi_error_classify(int sqlstate);
extern bool mzi_error_blames_table(int sqlstate);
extern const char *mzi_error_class_name(MziErrorClass class);
extern void mzi_error_clean_text(char *string, Size limit);

#endif							/* MZI_CORE_ERRORS_H */
