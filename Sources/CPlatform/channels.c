/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

const int32_t wpl_again = -EAGAIN;

static int pipe_closed_on_exec(int ends[2]) {
  return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
}

static void do_not_wait(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

int32_t wpl_channel_create(int32_t ends[4]) {
  int to[2], from[2];
  int failed = pipe_closed_on_exec(to);
  if (failed) return failed;
  failed = pipe_closed_on_exec(from);
  if (failed) {
    close(to[0]);
    close(to[1]);
    return failed;
  }
  do_not_wait(to[1]);
  do_not_wait(from[0]);
  ends[0] = to[0], ends[1] = from[1], ends[2] = to[1], ends[3] = from[0];
  return 0;
}

/* A write to a pipe that nobody reads raises SIGPIPE in the thread that writes; a library must not
 * change what the host does with it. So it is blocked here, and taken back if it came. */
int64_t wpl_channel_write(int32_t descriptor, const void *bytes, size_t size) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  int was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ssize_t n;
  do n = write(descriptor, bytes, size);
  while (n < 0 && errno == EINTR);
  int error = errno;
  if (n < 0 && error == EPIPE && !was_pending) {
    struct timespec none = {0, 0};
    while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return n < 0 ? -error : n;
}

int64_t wpl_channel_read(int32_t descriptor, void *bytes, size_t size) {
  ssize_t n;
  do n = read(descriptor, bytes, size);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}
