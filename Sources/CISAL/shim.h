/* SPDX-License-Identifier: MIT */
#ifndef WORKPOOL_CISAL_H
#define WORKPOOL_CISAL_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <isa-l.h>

#define WPI_TEXT(macro) WPI_TEXT_OF(macro)
#define WPI_TEXT_OF(words) #words
static inline const char *wpi_version(void) {
  return WPI_TEXT(ISAL_MAJOR_VERSION) "." WPI_TEXT(ISAL_MINOR_VERSION) "." WPI_TEXT(ISAL_PATCH_VERSION);
}

static inline uint32_t wpi_crc32(uint32_t crc, const void *bytes, size_t count) {
  return crc32_gzip_refl(crc, (const unsigned char *)bytes, count);
}

/* --- inflate ------------------------------------------------------------------------------ */

/* Raw deflate streams, one after the other; the memory is the caller's. */
typedef struct {
  struct inflate_state state, before;
  int is_fresh;
  int failure; /* of data that is behind what is still to be handed out */
} wpi_inflater;

static inline size_t wpi_inflater_size(void) { return sizeof(wpi_inflater); }

static inline void wpi_inflate_reset(void *inflater) {
  wpi_inflater *self = (wpi_inflater *)inflater;
  self->is_fresh = 1;
  self->failure = 0;
  isal_inflate_init(&self->state);
}

/* Unpacked bytes that wait for room. */
static inline size_t wpi_held(const struct inflate_state *state) {
  return (size_t)(state->tmp_out_valid - state->tmp_out_processed);
}

static inline int wpi_step(struct inflate_state *state, const void *packed, size_t packed_count,
                           void *bytes, size_t room) {
  state->next_in = (uint8_t *)(uintptr_t)packed; /* not written to */
  state->avail_in = (uint32_t)packed_count;
  state->next_out = (uint8_t *)bytes;
  state->avail_out = (uint32_t)room;
  return isal_inflate(state);
}

/* One call, and the damage it found. Where ISA-L finds damage, and what comes out before it, depends on how much
 * input there is at a time; it also counts what is to be copied from before the first byte as made, though
 * nothing is. So input with damage is given once more, one byte at a time. */
static inline int wpi_careful_step(wpi_inflater *self, const uint8_t *packed, size_t packed_count,
                                   uint8_t *bytes, size_t room) {
  struct inflate_state *state = &self->state;
  int only_hands_out =
    state->tmp_out_valid >= 2 * ISAL_DEF_HIST_SIZE && wpi_held(state) >= room;
  if (!self->is_fresh && packed_count > 1 && !only_hands_out)
    memcpy(&self->before, state, sizeof *state);
  int code = wpi_step(state, packed, packed_count, bytes, room);
  if (code < 0 && packed_count > 1 && !only_hands_out) {
    if (self->is_fresh) isal_inflate_init(state);
    else memcpy(state, &self->before, sizeof *state);
    size_t made = 0;
    code = 0;
    for (size_t at = 0; code == 0 && at < packed_count; at++) {
      code = wpi_step(state, packed + at, 1, bytes + made, room - made);
      made = (size_t)(state->next_out - bytes);
      if (state->avail_in > 0) break; /* no room */
    }
  }
  self->is_fresh = 0;
  return code < 0 ? code : 0;
}

/* Returns 1 at the end of the stream, 0 before it, less for damaged data. ISA-L reads ahead by up to
 * 8 bytes; at the end, and where data is damaged, `taken` is less than 0 when some of them came with
 * earlier calls and were not used. */
static inline int wpi_inflate(void *inflater, const void *packed, size_t packed_count, void *bytes,
                              size_t room, ptrdiff_t *taken, size_t *made) {
  wpi_inflater *self = (wpi_inflater *)inflater;
  struct inflate_state *state = &self->state;
  const size_t most = 1 << 30;
  if (packed_count > most) packed_count = most;
  if (room > most) room = most;
  if (self->failure == 0) {
    self->failure = wpi_careful_step(self, (const uint8_t *)packed, packed_count, (uint8_t *)bytes, room);
  } else {
    state->next_in = (uint8_t *)(uintptr_t)packed;
    state->next_out = (uint8_t *)bytes;
    state->avail_out = (uint32_t)room;
  }
  int is_ended = state->block_state == ISAL_BLOCK_FINISH;
  *taken = state->next_in - (const uint8_t *)packed;
  if ((is_ended || self->failure != 0) && state->read_in_length > 0) {
    *taken -= state->read_in_length / 8;
    state->read_in_length = 0;
  }
  if (self->failure != 0) {
    /* It says so before it has handed out what it had unpacked before. */
    size_t count = wpi_held(state) < state->avail_out ? wpi_held(state) : state->avail_out;
    memcpy(state->next_out, state->tmp_out_buffer + state->tmp_out_processed, count);
    state->next_out += count;
    state->tmp_out_processed += (int32_t)count;
  }
  *made = (size_t)(state->next_out - (uint8_t *)bytes);
  if (self->failure != 0 && wpi_held(state) == 0) return self->failure;
  return is_ended;
}
#endif
