/* SPDX-License-Identifier: MIT
 *
 * Processes that run on their own: started in a process group, watched without a thread, ended with
 * everything that is left of their group. Nothing here waits, but for `wpl_process_reap` when it is
 * told to. What only Linux has (pidfds, /proc, subreapers) is in processes.c alone.
 * Every function that can fail returns a negative errno. Included by CPlatform.h.
 */
#ifndef WORKPOOL_CPLATFORM_PROCESSES_H
#define WORKPOOL_CPLATFORM_PROCESSES_H
#include <stddef.h>
#include <stdint.h>

typedef struct wpl_process_start_options {
  const char *const *arguments;   /* NULL-ended; the first is looked up in PATH */
  const char *const *environment; /* NULL-ended NAME=value; NULL: that of this process */
  const char *folder;             /* NULL: that of this process */
  const char *input;              /* file to read; NULL: /dev/null */
  int32_t output, errors;         /* what the child writes to; -1: /dev/null */
  int32_t owns_terminal;          /* 1: keeps this process's input, and the terminal while it runs */
  const int32_t *channel;         /* two descriptors that it gets as 3 and 4; NULL: none */
} wpl_process_start_options;

typedef struct wpl_process {
  int32_t process;    /* the leader; also the number of its group */
  int32_t descriptor; /* to poll: readable, or hung up, once the leader has ended */
  void *watch;        /* where there are no pidfds: the thread that waits */
  uint64_t start_ticks; /* when the leader began, in clock ticks since boot; 0: unknown */
} wpl_process;

/* What the child did not even begin with. */
enum { WPL_PROCESS_IGNORED_SIGCHLD = 1000 }; /* this process ignores SIGCHLD: no exit can be seen */

/* Starts a process in a group of its own: default signals, nothing blocked, no descriptor above 2.
 * 0, -errno, or -WPL_PROCESS_IGNORED_SIGCHLD. */
int32_t wpl_process_start(const wpl_process_start_options *options, wpl_process *process);
/* For tests: the start after `count` more successful ones fails with EAGAIN, once; negative: none does. */
void wpl_fail_process_start_after(int64_t count);

/* 1: the leader has ended and was not reaped; 0: it runs; -errno (ECHILD: somebody else reaped it). */
int32_t wpl_process_has_ended(const wpl_process *process);

typedef struct wpl_process_end {
  int32_t code;   /* of a normal exit, else -1 */
  int32_t signal; /* that killed it, else 0 */
  int64_t user_time, system_time; /* ns, with the children it waited for */
  int64_t peak_memory;            /* bytes */
} wpl_process_end;
/* Reaps a leader that has ended and closes what watched it. With `waits`, waits for its end. */
int32_t wpl_process_reap(wpl_process *process, int32_t waits, wpl_process_end *end);

/* Living members of a group whose leader has ended, up to `size` of them; returns how many there are.
 * -ENOSYS where the system does not tell. */
int32_t wpl_process_members(int32_t group, int32_t *members, int32_t size);
/* A descriptor that becomes readable when that process, anybody's child, has ended. */
int32_t wpl_process_watch(int32_t process);
/* One signal to all of a group; 0 also where nobody is left. */
int32_t wpl_process_signal_group(int32_t group, int32_t number);
int32_t wpl_process_signal(int32_t process, int32_t number);
/* The names of the signals above, and `SIGKILL` and so on; NULL for others. */
extern const int32_t wpl_sigterm, wpl_sigkill, wpl_sigcont, wpl_sigint, wpl_sigquit, wpl_sigtstp,
    wpl_sigchld;
const char *wpl_signal_name(int32_t number);

/* Whether a child of this process was stopped by a signal; true once for each time. */
int32_t wpl_process_was_stopped(int32_t process);

/* Puts a group into the foreground of this process's terminal, or this process itself. */
void wpl_terminal_give(int32_t group);
void wpl_terminal_take(void);

/* Orphans of this process's descendants come to this process instead of to PID 1. */
int32_t wpl_process_adopts_orphans(void);
/* Living children of this process, up to `size`; returns how many there are. */
int32_t wpl_process_children(int32_t *children, int32_t size);
/* Reaps ended children that are none of `leaders`, as long as one is to be seen. */
void wpl_process_reap_adopted(const int32_t *leaders, int32_t count);

/* When a living process began, in clock ticks since boot; 0: there is none, or a dead one. */
uint64_t wpl_process_start_ticks(int32_t process);
/* The value of a variable in the environment a process was started with, ended by NUL and cut to
 * `size`: its length; -errno. */
int64_t wpl_process_variable(int32_t process, const char *name, char *value, size_t size);
/* Resident memory of a process in bytes; 0: unknown. */
int64_t wpl_process_memory(int32_t process);
/* The running processes, up to `size`; returns how many there are. */
int32_t wpl_process_all(int32_t *processes, int32_t size);

/* For tests: from now on (1) as if the system had no pidfds. */
void wpl_process_hide_pidfds(int32_t hides);

#endif
