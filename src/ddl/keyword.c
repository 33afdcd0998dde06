/*-------------------------------------------------------------------------
 *
 * keyword.c
 *	  Looks up the words that the grammar knows.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "ddl/build/gram.h"
#include "ddl/token.h"

typedef struct Keyword
{
	const char *text;			/* in lower case */
	int			code;
} Keyword;

#define KEYWORD(text, code) {text, code},
static const Keyword keywords[] = {
#include "ddl/keyword.h"
};

#undef KEYWORD

#define NKEYWORDS ((int) (sizeof(keywords) / sizeof(keywords[0])))

/* A letter of ASCII in lower case; other bytes as they are. */
static int
lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : (unsigned char) letter;
}

/* Compares a word, in any case, with a keyword. */
static int
compare(const char *text, int length, const char *keyword)
{
	for (int i = 0; i < length; i++)
	{
		int			difference = lower(text[i]) - (unsigned char) keyword[i];

		/* also where the keyword has ended */
		if (difference != 0)
			return difference;
	}
	return keyword[length] == '\0' ? 0 : -1;
}

/* Code of the keyword that these bytes are; -1 = none. */
int
mzi_keyword(const char *text, int length)
{
	int			low = 0;
	int			high = NKEYWORDS - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = compare(text, length, keywords[middle].text);

		if (order == 0)
			return keywords[middle].code;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return -1;
}

/* The keyword at a place in the alphabet, NULL behind the last. */
const char *
mzi_keyword_at(int index)
{
	return index < NKEYWORDS ? keywords[index].text : NULL;
}
