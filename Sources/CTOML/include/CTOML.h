/* SPDX-License-Identifier: MIT
 *
 * What toml++ reads of a TOML text, for Swift: a list of values with the lines they stand in.
 */
#ifndef WORKPOOL_CTOML_H
#define WORKPOOL_CTOML_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum wpt_kind {
  WPT_TABLE,
  WPT_LIST,
  WPT_TEXT,
  WPT_INTEGER,
  WPT_NUMBER,
  WPT_BOOLEAN,
  WPT_TIME /* of day, a date, or both; its text as TOML writes it */
} wpt_kind;

typedef struct wpt_value {
  const char *key; /* UTF-8; of no size in lists, and in the table of the whole text */
  size_t key_size;
  const char *text; /* of WPT_TEXT, WPT_TIME */
  size_t text_size;
  int64_t integer; /* of WPT_INTEGER, WPT_BOOLEAN */
  double number;
  size_t count; /* of a table or list: so many values are in it; they follow, each with its own */
  wpt_kind kind;
  uint32_t line; /* of the key, else of the value; from 1 */
} wpt_value;

typedef struct wpt_document wpt_document;

/* UTF-8. Owned by the caller, as are the texts in it; NULL if there is no memory. O(size · log). */
wpt_document *wpt_parse(const char *text, size_t size);
void wpt_free(wpt_document *document);

/* Why it is no TOML, and where; NULL: it is. */
const char *wpt_error(const wpt_document *document, uint32_t *line);
/* The table of the whole text first. Keys of a table in the order of the text. */
const wpt_value *wpt_values(const wpt_document *document);

#ifdef __cplusplus
}
#endif
#endif
