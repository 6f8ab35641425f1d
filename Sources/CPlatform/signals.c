/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static uint32_t *word_to_set;
static uint32_t value_to_set;
static int caught;

static void remember(int number) {
  int none = 0;
  if (!__atomic_compare_exchange_n(&caught, &none, number, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    _exit(128 + number);
  uint32_t zero = 0;
  __atomic_compare_exchange_n(word_to_set, &zero, value_to_set, 0, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
}
/* Not SIG_IGN, which children would inherit. */
static void pass(int number) { (void)number; }

static void on(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

void wpl_signals_catch(uint32_t *word, uint32_t value) {
  word_to_set = word;
  value_to_set = value;
  struct sigaction before;
  if (sigaction(SIGINT, NULL, &before) < 0 || before.sa_handler != SIG_IGN) on(SIGINT, remember);
  on(SIGTERM, remember);
  on(SIGPIPE, pass);
  on(SIGXFSZ, pass);
}
int32_t wpl_signal_caught(void) { return __atomic_load_n(&caught, __ATOMIC_SEQ_CST); }

/* --- for a program that goes on ------------------------------------------------------------- */

static int told = -1;

static void tell(int number) {
  int error = errno;
  unsigned char byte = (unsigned char)number;
  /* A full pipe holds thousands of signals that nobody has looked at. */
  (void)!write(told, &byte, 1);
  errno = error;
}

int32_t wpl_signals_watch(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  told = ends[1];
  const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct sigaction before;
    if (sigaction(numbers[i], NULL, &before) < 0 || before.sa_handler != SIG_IGN)
      on(numbers[i], tell);
  }
  on(SIGPIPE, pass);
  on(SIGXFSZ, pass);
  return ends[0];
}

void wpl_signals_watch_children(void) { on(SIGCHLD, tell); }

void wpl_signals_suspend(int32_t with_group) {
  if (with_group) {
    on(SIGTSTP, pass); /* that one is this process's too */
    kill(0, SIGTSTP);
  }
  kill(getpid(), SIGSTOP);
  if (with_group) on(SIGTSTP, tell);
}
