// SPDX-License-Identifier: MIT
/* A test is a function; RUN names it in a sentence. Any thread may CHECK. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int checks_failed; /* in the test that runs; atomic */
static int tests_passed, tests_failed;

#define CHECK(condition) \
  ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, "%s", #condition))

#define CHECK_EQUAL(actual, expected) \
  check_equal(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))

#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, actual, expected)

#define RUN(sentence, test) \
  do { \
    checks_failed = 0; \
    test(); \
    check_end(sentence); \
  } while (0)

/* What main returns. */
#define CHECK_SUMMARY() check_summary(__FILE__)

#define check_failed(file, line, ...) \
  (__atomic_fetch_add(&checks_failed, 1, __ATOMIC_RELAXED) < 5 \
     ? (void)(printf("  %s:%d: ", file, line), printf(__VA_ARGS__), printf("\n"), fflush(stdout)) \
     : (void)0)

static inline void check_equal(const char *file, int line, const char *what, int64_t actual,
                               int64_t expected) {
  if (actual != expected) {
    check_failed(file, line, "%s is %" PRId64 ", not %" PRId64, what, actual, expected);
  }
}

static inline void check_text(const char *file, int line, const char *what, const char *actual,
                              const char *expected) {
  if (!actual || strcmp(actual, expected)) {
    check_failed(file, line, "%s is \"%s\", not \"%s\"", what, actual ? actual : "(null)", expected);
  }
}

static inline void check_end(const char *sentence) {
  int failed = __atomic_load_n(&checks_failed, __ATOMIC_RELAXED);
  if (failed) {
    printf("FAIL %s (%d checks)\n", sentence, failed);
    tests_failed++;
  } else {
    printf("ok   %s\n", sentence);
    tests_passed++;
  }
  fflush(stdout);
}

static inline int check_summary(const char *file) {
  printf("%s: %d passed, %d failed\n", file, tests_passed, tests_failed);
  return tests_failed != 0;
}

#endif
