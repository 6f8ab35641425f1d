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

void wpl_wait(wpl_interest *interests, int32_t count, int64_t until) {
  enum { FEW = 64 };
  struct pollfd few[FEW];
  struct pollfd *polled = count <= FEW ? few : wpl_allocate(sizeof *polled * (size_t)count);
  int64_t left = until - wpl_now();
  if (left < 0) left = 0;
  if (polled == NULL) left = 10000000;
  struct timespec limit = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
  for (int32_t i = 0; polled && i < count; i++)
    polled[i] = (struct pollfd){.fd = interests[i].descriptor,
                                .events = (short)(interests[i].writes ? POLLOUT : POLLIN)};
  int ready = ppoll(polled, polled ? (nfds_t)count : 0, until < 0 && polled ? NULL : &limit, NULL);
  for (int32_t i = 0; i < count; i++) {
    short seen = polled == NULL ? POLLIN | POLLOUT : ready > 0 ? polled[i].revents : 0;
    interests[i].can_write = interests[i].writes && (seen & (POLLOUT | POLLERR)) != 0;
    interests[i].is_ready = (seen & ~POLLOUT) != 0;
  }
  if (polled != few) wpl_free(polled);
}
