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

#endif
