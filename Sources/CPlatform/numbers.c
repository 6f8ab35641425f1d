/* SPDX-License-Identifier: MIT */
#include "CPlatformNumbers.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

int wpl_parse_double(const char *text, double *value) {
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (plain == (locale_t)0) return 0;
  char *end;
  double number = strtod_l(text, &end, plain);
  freelocale(plain);
  if (end == text || *end != '\0') return 0;
  *value = number;
  return 1;
}

size_t wpl_format_double(double value, char text[WPL_DOUBLE_TEXT_SIZE]) {
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  locale_t host = plain == (locale_t)0 ? plain : uselocale(plain);
  int size = 0;
  for (int digits = 15; digits <= 17; digits++) {
    size = snprintf(text, WPL_DOUBLE_TEXT_SIZE, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  if (plain != (locale_t)0) {
    uselocale(host);
    freelocale(plain);
  }
  return (size_t)size;
}
