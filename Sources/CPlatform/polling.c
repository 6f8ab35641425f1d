/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "CPlatform.h"

int32_t wpl_call_create(void) {
  int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return call < 0 ? -errno : call;
}

void wpl_call(int32_t call) {
  uint64_t one = 1;
  ssize_t done;
  do done = write(call, &one, sizeof one);
  while (done < 0 && errno == EINTR);
}

void wpl_call_take(int32_t call) {
  uint64_t calls;
  ssize_t done;
  do done = read(call, &calls, sizeof calls);
  while (done < 0 && errno == EINTR);
}

void wpl_poll(const int32_t *descriptors, uint8_t *ready, int32_t count, int64_t deadline) {
  enum { FEW = 16 };
  struct pollfd few[FEW];
  struct pollfd *polled = count <= FEW ? few : wpl_allocate(sizeof *polled * (size_t)count);
  memset(ready, 0, (size_t)count);
  struct timespec left = {0, 0};
  struct timespec *limit = &left;
  if (polled == NULL) { /* looks again a little later, without memory */
    left.tv_nsec = 10000000;
    nanosleep(&left, NULL);
    memset(ready, 1, (size_t)count);
    return;
  }
  for (int32_t i = 0; i < count; i++)
    polled[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
  if (deadline < 0) {
    limit = NULL;
  } else {
    int64_t nanoseconds = deadline - wpl_now();
    if (nanoseconds < 0) nanoseconds = 0;
    left.tv_sec = nanoseconds / 1000000000;
    left.tv_nsec = nanoseconds % 1000000000;
  }
  if (ppoll(polled, (nfds_t)count, limit, NULL) > 0)
    for (int32_t i = 0; i < count; i++) ready[i] = polled[i].revents != 0;
  if (polled != few) wpl_free(polled);
}
