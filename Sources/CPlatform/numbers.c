/* SPDX-License-Identifier: MIT */
#include "CPlatformNumbers.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>

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

/* Makes whatever the locale writes as decimal point a '.'. */
static size_t with_point(char *text) {
  size_t size = 0;
  int in_point = 0;
  for (const char *from = text; *from != '\0'; from++) {
    int is_point = !((*from >= '0' && *from <= '9') || *from == '-' || *from == '+' || *from == 'e');
    if (!is_point) text[size++] = *from;
    else if (!in_point) text[size++] = '.';
    in_point = is_point;
  }
  text[size] = '\0';
  return size;
}

/* inf, -inf, NaN; 0 for a number. */
static size_t not_finite(double value, char *text) {
  if (isfinite(value)) return 0;
  strcpy(text, isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf");
  return strlen(text);
}

size_t wpl_format_brief(double value, char text[WPL_BRIEF_TEXT_SIZE]) {
  size_t size = not_finite(value, text);
  if (size > 0) return size;
  double magnitude = fabs(value);
  if (value == trunc(value)) {
    long long whole = value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (long long)value;
    return (size_t)snprintf(text, WPL_BRIEF_TEXT_SIZE, "%lld", whole);
  }
  if (magnitude >= 1e-3 && magnitude <= 1e6) {
    snprintf(text, WPL_BRIEF_TEXT_SIZE, "%.4f", value);
    return with_point(text);
  }
  snprintf(text, WPL_BRIEF_TEXT_SIZE, "%.4e", value);
  with_point(text);
  char *exponent = strchr(text, 'e') + 1;
  int number = atoi(exponent);
  size = (size_t)(exponent - text);
  size += (size_t)snprintf(exponent, WPL_BRIEF_TEXT_SIZE - size, "%d", number);
  while (text[size - 1] == '0') size--;
  if (text[size - 1] == '.') size--;
  return size;
}

size_t wpl_format_plain(double value, char text[WPL_PLAIN_TEXT_SIZE]) {
  size_t size = not_finite(value, text);
  if (size > 0) return size;
  char digits[40];
  for (int count = 0; count <= 16; count++) {
    snprintf(digits, sizeof digits, "%.*e", count, value);
    if (strtod(digits, NULL) == value) break;
  }
  with_point(digits);
  const char *from = digits;
  if (*from == '-') text[size++] = *from++;
  const char *mark = strchr(from, 'e');
  int exponent = atoi(mark + 1);
  char plain[24];
  int count = 0;
  for (; from < mark; from++)
    if (*from != '.') plain[count++] = *from;
  while (count > 1 && plain[count - 1] == '0') count--;
  if (exponent < 0) {
    text[size++] = '0';
    text[size++] = '.';
    for (int zero = -1; zero > exponent; zero--) text[size++] = '0';
  }
  for (int index = 0; index < count || index <= exponent; index++) {
    if (index == exponent + 1 && index > 0) text[size++] = '.';
    text[size++] = index < count ? plain[index] : '0';
  }
  text[size] = '\0';
  return size;
}
