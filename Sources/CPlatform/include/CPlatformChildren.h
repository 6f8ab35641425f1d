/* SPDX-License-Identifier: MIT */
#ifndef WORKPOOL_CPLATFORM_CHILDREN_H
#define WORKPOOL_CPLATFORM_CHILDREN_H
#include <stddef.h>
#include <stdint.h>

/* A child process that reads from and writes to this one through pipes. */
typedef struct wpl_child {
  int32_t process, input, output, errors; /* this process's ends; -1: closed */
} wpl_child;

/* Starts `sh -c command` in a process group of its own, with all signals at their defaults and
 * `setting` ("NAME=value") in its environment. This process's ends are for wpl_channel_read and
 * wpl_channel_write: they do not block. They are closed on exec. 0 or -errno. */
int32_t wpl_child_start(wpl_child *child, const char *command, const char *setting);

/* Waits until an open end can go on, for at most `milliseconds`. A mask of 1 (input), 2 (output),
 * 4 (errors); 0: time over; or -errno. `watches_input`: whether there is something to write. */
int32_t wpl_child_poll(const wpl_child *child, int32_t watches_input, int32_t milliseconds);

/* Closes one end (idempotent). */
void wpl_child_close(int32_t *descriptor);

/* SIGTERM (0) or SIGKILL (1) to the process group. */
void wpl_child_signal(const wpl_child *child, int32_t kills);

/* Reaps the child if it has ended (or waits for that): 0 and its exit status, or 256 + signal, in
 * *status; 1: it is still alive; -errno. */
int32_t wpl_child_reap(const wpl_child *child, int32_t waits, int32_t *status);

#endif
