// SPDX-License-Identifier: MIT
#include <workpool.h>

#include "check.h"

static void version_is_the_headers(void) {
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", WP_VERSION_MAJOR, WP_VERSION_MINOR, WP_VERSION_PATCH);
  CHECK_EQUAL(wp_version_number(), WP_VERSION_NUMBER);
  CHECK_TEXT(wp_version_string(), text);
  CHECK(strstr(wp_build_info(), text) != NULL);
  CHECK(strstr(wp_build_info(), "zlib ") != NULL);
  CHECK(strstr(wp_build_info(), "zstd ") != NULL);
}

#define NAMED(status) { status, #status }
static const struct {
  int32_t status;
  const char *name;
} all[] = {
  NAMED(WP_OK), NAMED(WP_STOPPED), NAMED(WP_END), NAMED(WP_INVALID_ARGUMENT),
  NAMED(WP_INVALID_STATE), NAMED(WP_NO_MEMORY), NAMED(WP_NO_THREAD), NAMED(WP_BUSY),
  NAMED(WP_CLOSED), NAMED(WP_CANCELLED), NAMED(WP_TIMED_OUT), NAMED(WP_WOULD_BLOCK),
  NAMED(WP_WOULD_DEADLOCK), NAMED(WP_RESULTS_WAITING), NAMED(WP_STAGE_FAILED),
  NAMED(WP_BAD_RETURN), NAMED(WP_DUPLICATE_BLOCK), NAMED(WP_MISSING_BLOCK), NAMED(WP_FORKED),
  NAMED(WP_UNSUPPORTED), NAMED(WP_IO_FAILED), NAMED(WP_CORRUPT_INPUT), NAMED(WP_TRUNCATED_INPUT),
  NAMED(WP_MALFORMED_RECORD), NAMED(WP_LIMIT_EXCEEDED), NAMED(WP_OUTPUT_EXISTS),
  NAMED(WP_EXISTS), NAMED(WP_NOT_FOUND), NAMED(WP_SHUT_DOWN), NAMED(WP_CYCLE),
  NAMED(WP_UNKNOWN_DEPENDENCY), NAMED(WP_UNSATISFIABLE), NAMED(WP_NO_RETRY),
};
enum { COUNT = sizeof all / sizeof all[0] };

static void every_status_has_its_name(void) {
  for (int i = 0; i < COUNT; i++) CHECK_TEXT(wp_status_name(all[i].status), all[i].name);
}

static void every_status_has_a_sentence_of_its_own(void) {
  for (int i = 0; i < COUNT; i++) {
    const char *text = wp_status_text(all[i].status);
    if (!text || strlen(text) < 2) {
      check_failed(__FILE__, __LINE__, "%s has no text", all[i].name);
      continue;
    }
    CHECK(text[strlen(text) - 1] != '.');
    for (int k = 0; k < i; k++) {
      if (!strcmp(text, wp_status_text(all[k].status))) {
        check_failed(__FILE__, __LINE__, "%s and %s read alike", all[i].name, all[k].name);
      }
    }
  }
}

static void other_numbers_are_unknown(void) {
  static const int32_t others[] = { 3, 1000, -18, -29, -36, -999, INT32_MAX };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    CHECK_TEXT(wp_status_name(others[i]), "WP_UNKNOWN");
    CHECK(wp_status_text(others[i]) != NULL);
  }
  CHECK(wp_status_name(WP_USER_CODE) != NULL);
  CHECK(wp_status_text(WP_USER_CODE - 5) != NULL);
  CHECK(wp_status_name(INT32_MIN) != NULL);
}

static void the_last_error_is_the_last_failure(void) {
  CHECK_EQUAL(wp_last_error(), WP_OK);
  CHECK(wp_last_error_text() != NULL);
  CHECK_EQUAL(wp_pool_create(NULL, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_last_error(), WP_INVALID_ARGUMENT);
  CHECK(strlen(wp_last_error_text()) > 0);
  CHECK(strlen(wp_last_error_text()) <= 1023);
  CHECK_EQUAL(wp_pool_destroy(NULL), WP_OK);
  CHECK_EQUAL(wp_last_error(), WP_INVALID_ARGUMENT);
}

int main(void) {
  RUN("the loaded version is the header's", version_is_the_headers);
  RUN("every status has its name", every_status_has_its_name);
  RUN("every status has a sentence of its own", every_status_has_a_sentence_of_its_own);
  RUN("other numbers are unknown", other_numbers_are_unknown);
  RUN("the last error is the last failure", the_last_error_is_the_last_failure);
  return CHECK_SUMMARY();
}
