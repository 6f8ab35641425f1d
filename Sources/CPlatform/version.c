/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"
#include "../../include/workpool.h"
#include <zlib.h>
#include <zstd.h>

#define TEXT(macro) TEXT_OF(macro)
#define TEXT_OF(words) #words
#define VERSION \
  TEXT(WP_VERSION_MAJOR) "." TEXT(WP_VERSION_MINOR) "." TEXT(WP_VERSION_PATCH)

const char *wpl_version(void) { return VERSION; }

const char *wpl_build_info(void) {
  return "libworkpool " VERSION " zlib " ZLIB_VERSION " zstd " ZSTD_VERSION_STRING;
}
