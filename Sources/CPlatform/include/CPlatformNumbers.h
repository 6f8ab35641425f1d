/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, always with a decimal point, whatever locale the host has set.
 */
#ifndef WORKPOOL_CPLATFORM_NUMBERS_H
#define WORKPOOL_CPLATFORM_NUMBERS_H
#include <stddef.h>

/* 1 when all of `text` (NUL-ended) is a number that strtod reads; out of range gives infinity
 * or 0 as strtod does. 0, and *value unchanged, when it is not. */
int wpl_parse_double(const char *text, double *value);

#define WPL_DOUBLE_TEXT_SIZE 32
/* The shortest of 15, 16 or 17 significant digits that reads back as `value`, NUL-ended.
 * Returns the length. */
size_t wpl_format_double(double value, char text[WPL_DOUBLE_TEXT_SIZE]);

/* A number in the comment of a read: whole ones as 64-bit integers; from 0.001 to 1000000 with
 * four decimals; others as mantissa with four decimals, `e` and exponent, from which trailing zeros go,
 * those of the exponent too, as the pipelines this follows have it. Any locale. */
#define WPL_BRIEF_TEXT_SIZE 48
size_t wpl_format_brief(double value, char text[WPL_BRIEF_TEXT_SIZE]);

/* The shortest decimal that reads back as the same number, never with an exponent. Any locale. */
#define WPL_PLAIN_TEXT_SIZE 352
size_t wpl_format_plain(double value, char text[WPL_PLAIN_TEXT_SIZE]);

#endif
