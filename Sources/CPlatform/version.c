/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"
#include "../../include/workpool.h"
#include <zlib.h>
#include <zstd.h>
#ifdef WORKPOOL_LIBDEFLATE
#include <libdeflate.h>
#define LIBDEFLATE " libdeflate " LIBDEFLATE_VERSION_STRING
#else
#define LIBDEFLATE ""
#endif
#ifdef WORKPOOL_ISAL
#include <isa-l.h>
#define ISAL " isa-l " TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(ISAL_PATCH_VERSION)
#else
#define ISAL ""
#endif

#ifdef WORKPOOL_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#define PCRE2 " pcre2 " TEXT(PCRE2_MAJOR) "." TEXT(PCRE2_MINOR)
#else
#define PCRE2 ""
#endif

#define TEXT(macro) TEXT_OF(macro)
#define TEXT_OF(words) #words
#define VERSION \
  TEXT(WP_VERSION_MAJOR) "." TEXT(WP_VERSION_MINOR) "." TEXT(WP_VERSION_PATCH)

const char *wpl_version(void) { return VERSION; }

const char *wpl_build_info(void) {
  return "libworkpool " VERSION " zlib " ZLIB_VERSION " zstd " ZSTD_VERSION_STRING LIBDEFLATE ISAL PCRE2;
}
