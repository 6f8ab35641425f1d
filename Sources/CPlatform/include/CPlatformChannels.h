/* SPDX-License-Identifier: MIT
 *
 * Pipes to and from a child process that neither side waits for in read or write. Every function that
 * can fail returns a negative errno. Included by CPlatform.h.
 */
#ifndef WORKPOOL_CPLATFORM_CHANNELS_H
#define WORKPOOL_CPLATFORM_CHANNELS_H
#include <stddef.h>
#include <stdint.h>

extern const int32_t wpl_again; /* -EAGAIN */

/* ends[0], ends[1]: what the child reads and writes; ends[2], ends[3]: what this process writes and
 * reads, which return -EAGAIN where they would wait. All closed on exec. */
int32_t wpl_channel_create(int32_t ends[4]);
/* How much of it: -EAGAIN: nothing for now; -EPIPE: nobody reads any more, and no signal comes of it. */
int64_t wpl_channel_write(int32_t descriptor, const void *bytes, size_t size);
/* 0: nobody writes any more. */
int64_t wpl_channel_read(int32_t descriptor, void *bytes, size_t size);

#endif
