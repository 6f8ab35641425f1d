/* SPDX-License-Identifier: MIT
 *
 * Files and descriptors. Every function that can fail returns a negative errno; none maps a file or
 * writes to one that it was not told to write to. Included by CPlatform.h.
 */
#ifndef WORKPOOL_CPLATFORM_FILES_H
#define WORKPOOL_CPLATFORM_FILES_H
#include <stddef.h>
#include <stdint.h>

/* --- descriptors ------------------------------------------------------------------------ */

enum {
  WPL_OPEN_INPUT,     /* for reading; returns at once also where a FIFO has no writer */
  WPL_OPEN_NEW,       /* for writing; fails with EEXIST where anything, a link too, is there */
  WPL_OPEN_PRIVATE,   /* the same for the owner's eyes alone */
  WPL_OPEN_REPLACE,   /* for writing, emptied if it is there */
  WPL_OPEN_MARKER,    /* for writing, neither emptied nor reached through a link */
  WPL_OPEN_DIRECT,    /* an existing FIFO or device for writing; ENXIO: a FIFO without a reader */
  WPL_OPEN_LOG,       /* as WPL_OPEN_REPLACE; every write goes to the end */
  WPL_OPEN_JOURNAL    /* the same, not emptied */
};
/* A close-on-exec descriptor. A regular input is advised sequential. */
int32_t wpl_file_open(const char *path, int32_t how);
/* Another descriptor (close-on-exec) of the same open file. */
int32_t wpl_file_duplicate(int32_t descriptor);
int32_t wpl_file_close(int32_t descriptor);
int32_t wpl_file_sync(int32_t descriptor);
/* The same for what was written, without times and the like. */
int32_t wpl_file_sync_data(int32_t descriptor);

/* Waits until a read has something to say: bytes, the end, an error; for a FIFO also until somebody
 * opens it for writing. 1: so it is; 0: the time is over; -errno. */
int32_t wpl_file_wait_input(int32_t descriptor, int32_t milliseconds);
/* One read: the bytes that came, 0 at the end. Interruptions and a descriptor that does not
 * block are waited out. */
int64_t wpl_file_read(int32_t descriptor, void *bytes, size_t size);
/* Bytes of a regular file from `offset` on, fewer only at its end, wherever the descriptor is. */
int64_t wpl_file_read_at(int32_t descriptor, uint64_t offset, void *bytes, size_t size);
/* Where in a regular file the next read begins. */
int64_t wpl_file_place(int32_t descriptor);
/* One write: the bytes that went. Waits as above; a closed pipe or a size limit is an error
 * (EPIPE, EFBIG), never a signal. */
int64_t wpl_file_write(int32_t descriptor, const void *bytes, size_t size);

/* --- what is there ---------------------------------------------------------------------- */

enum { WPL_KIND_REGULAR, WPL_KIND_FOLDER, WPL_KIND_FIFO, WPL_KIND_LINK, WPL_KIND_BLOCK_DEVICE,
       WPL_KIND_OTHER };
typedef struct wpl_file_info {
  uint64_t device, inode, size, links;
  int32_t kind;
} wpl_file_info;
int32_t wpl_file_info_at(const char *path, int32_t follows_links, wpl_file_info *info);
int32_t wpl_file_info_of(int32_t descriptor, wpl_file_info *info);

/* What a copy of a file takes over from it: permissions, owner and times, links followed. */
typedef struct wpl_file_attributes {
  int64_t read_seconds, read_nanoseconds, written_seconds, written_nanoseconds;
  uint32_t mode, owner, group;
} wpl_file_attributes;
int32_t wpl_file_attributes_at(const char *path, wpl_file_attributes *attributes);
/* As far as this process may and the file system can. Where the group cannot be given, it may do no
 * more than everybody. */
void wpl_file_set_attributes(int32_t descriptor, const wpl_file_attributes *attributes);

/* --- names ------------------------------------------------------------------------------ */

/* Without `replaces`, EEXIST where `to` exists. */
int32_t wpl_file_rename(const char *from, const char *to, int32_t replaces);
int32_t wpl_file_remove(const char *path);
/* An exclusive lock of this open file, given up when its last descriptor is closed; EAGAIN: held
 * by somebody else. */
int32_t wpl_file_lock(int32_t descriptor);
/* Gives it up also where a child that was just forked still has the descriptor. */
int32_t wpl_file_unlock(int32_t descriptor);

int32_t wpl_folder_create(const char *path);
int32_t wpl_folder_sync(const char *path);
/* To lock it. */
int32_t wpl_folder_open(const char *path);
/* Calls `visit` with every name in the folder until it returns 0. */
int32_t wpl_folder_visit(const char *path, int32_t (*visit)(void *context, const char *name),
                         void *context);

/* NUL-ended; -errno, also where it does not fit. */
int32_t wpl_current_folder(char *path, size_t size);
int32_t wpl_host_name(char *name, size_t size);
/* `NAME=value` of this process, NULL behind the last one. */
char *const *wpl_environment(void);

int32_t wpl_process_id(void);
/* 0 only where no such process exists in this process's view. */
int32_t wpl_process_exists(int32_t process);
void wpl_sleep(int64_t nanoseconds);
/* Unpredictable bytes; -errno. */
int32_t wpl_random(void *bytes, size_t size);
/* CLOCK_REALTIME, ns. */
int64_t wpl_wall_time(void);

#endif
