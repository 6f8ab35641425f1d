/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int32_t outcome(int result) { return result < 0 ? -errno : result; }

/* --- descriptors ------------------------------------------------------------------------ */

int32_t wpl_file_open(const char *path, int32_t how) {
  static const int flags[] = {
      /* Not to hang in open(2) until a FIFO has a writer: wpl_file_wait_input waits for that. */
      [WPL_OPEN_INPUT] = O_RDONLY | O_NONBLOCK,
      [WPL_OPEN_NEW] = O_WRONLY | O_CREAT | O_EXCL,
      [WPL_OPEN_PRIVATE] = O_WRONLY | O_CREAT | O_EXCL,
      [WPL_OPEN_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
      [WPL_OPEN_MARKER] = O_WRONLY | O_CREAT | O_NOFOLLOW,
      /* Not to hang in open(2) where nothing could end it. */
      [WPL_OPEN_DIRECT] = O_WRONLY | O_NONBLOCK,
      [WPL_OPEN_LOG] = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
      [WPL_OPEN_JOURNAL] = O_WRONLY | O_CREAT | O_APPEND,
  };
  int fd;
  do fd = open(path, flags[how] | O_CLOEXEC | O_NOCTTY,
              how == WPL_OPEN_PRIVATE ? 0600 : 0666);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return -errno;
  if (how == WPL_OPEN_DIRECT) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  /* On anything but a regular file this does nothing. */
  if (how == WPL_OPEN_INPUT) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return fd;
}
int32_t wpl_file_duplicate(int32_t fd) { return outcome(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }
/* After EINTR Linux has closed the descriptor all the same: trying again would close another's. */
int32_t wpl_file_close(int32_t fd) { return close(fd) < 0 && errno != EINTR ? -errno : 0; }
int32_t wpl_file_sync(int32_t fd) {
  int result;
  do result = fsync(fd);
  while (result < 0 && errno == EINTR);
  /* EINVAL, EROFS: a descriptor that has nothing to sync, such as a pipe. */
  return result < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

int32_t wpl_file_sync_data(int32_t fd) {
  int result;
  do result = fdatasync(fd);
  while (result < 0 && errno == EINTR);
  return result < 0 && errno != EINVAL && errno != EROFS ? -errno : 0;
}

static int again(int fd, short events) {
  if (errno == EINTR) return 1;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return 0;
  struct pollfd p = {.fd = fd, .events = events};
  return poll(&p, 1, -1) >= 0 || errno == EINTR;
}
int32_t wpl_file_wait_input(int32_t fd, int32_t milliseconds) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int n = poll(&p, 1, milliseconds);
  return n >= 0 ? n : errno == EINTR ? 0 : -errno;
}
int64_t wpl_file_read(int32_t fd, void *bytes, size_t size) {
  ssize_t n;
  do n = read(fd, bytes, size);
  while (n < 0 && again(fd, POLLIN));
  return n < 0 ? -errno : n;
}

int64_t wpl_file_read_at(int32_t fd, uint64_t offset, void *bytes, size_t size) {
  size_t count = 0;
  while (count < size) {
    ssize_t n = pread(fd, (char *)bytes + count, size - count, (off_t)(offset + count));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) break;
    count += (size_t)n;
  }
  return (int64_t)count;
}
int64_t wpl_file_place(int32_t fd) {
  off_t place = lseek(fd, 0, SEEK_CUR);
  return place < 0 ? -errno : place;
}

int64_t wpl_file_write(int32_t fd, const void *bytes, size_t size) {
  /* The host may not have ignored SIGPIPE and SIGXFSZ: they are blocked meanwhile, and one that
   * this write brought is taken away. */
  sigset_t both, before, pending;
  sigemptyset(&both);
  sigaddset(&both, SIGPIPE);
  sigaddset(&both, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &both, &before);
  ssize_t n;
  do n = write(fd, bytes, size);
  while (n < 0 && again(fd, POLLOUT));
  int error = n < 0 ? errno : 0;
  int brought = error == EPIPE ? SIGPIPE : error == EFBIG ? SIGXFSZ : 0;
  if (brought && !sigismember(&before, brought)) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, brought);
    if (sigpending(&pending) == 0 && sigismember(&pending, brought))
      sigtimedwait(&one, NULL, &(struct timespec){0, 0});
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error ? -error : n;
}

/* --- what is there ---------------------------------------------------------------------- */

static int32_t info_from(int failed, const struct stat *s, wpl_file_info *info) {
  if (failed) return -errno;
  *info = (wpl_file_info){.device = s->st_dev, .inode = s->st_ino, .size = (uint64_t)s->st_size,
                          .links = s->st_nlink};
  info->kind = S_ISREG(s->st_mode)    ? WPL_KIND_REGULAR
               : S_ISDIR(s->st_mode)  ? WPL_KIND_FOLDER
               : S_ISFIFO(s->st_mode) ? WPL_KIND_FIFO
               : S_ISLNK(s->st_mode)  ? WPL_KIND_LINK
               : S_ISBLK(s->st_mode)  ? WPL_KIND_BLOCK_DEVICE
                                      : WPL_KIND_OTHER;
  return 0;
}
int32_t wpl_file_info_at(const char *path, int32_t follows_links, wpl_file_info *info) {
  struct stat s;
  return info_from(follows_links ? stat(path, &s) : lstat(path, &s), &s, info);
}
int32_t wpl_file_info_of(int32_t fd, wpl_file_info *info) {
  struct stat s;
  return info_from(fstat(fd, &s), &s, info);
}

int32_t wpl_file_attributes_at(const char *path, wpl_file_attributes *attributes) {
  struct stat s;
  if (stat(path, &s)) return -errno;
  *attributes = (wpl_file_attributes){
      .read_seconds = s.st_atim.tv_sec, .read_nanoseconds = s.st_atim.tv_nsec,
      .written_seconds = s.st_mtim.tv_sec, .written_nanoseconds = s.st_mtim.tv_nsec,
      .mode = s.st_mode & 0777, .owner = s.st_uid, .group = s.st_gid};
  return 0;
}
void wpl_file_set_attributes(int32_t fd, const wpl_file_attributes *a) {
  mode_t mode = a->mode;
  /* The group first, the owner last: a file that was given away cannot be changed any more. */
  if (fchown(fd, (uid_t)-1, a->group)) mode &= ~0070u | (mode & 0007u) << 3;
  (void)!fchmod(fd, mode);
  struct timespec times[2] = {{a->read_seconds, a->read_nanoseconds},
                              {a->written_seconds, a->written_nanoseconds}};
  (void)!futimens(fd, times);
  (void)!fchown(fd, a->owner, (gid_t)-1);
}

/* --- names ------------------------------------------------------------------------------ */

int32_t wpl_file_rename(const char *from, const char *to, int32_t replaces) {
  if (!replaces) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    /* A file system without this flag: a look just before is the best there is. */
    struct stat s;
    if (lstat(to, &s) == 0) return -EEXIST;
  }
  return outcome(rename(from, to));
}
int32_t wpl_file_remove(const char *path) { return outcome(unlink(path)); }
int32_t wpl_file_unlock(int32_t fd) { return outcome(flock(fd, LOCK_UN)); }
int32_t wpl_file_lock(int32_t fd) { return outcome(flock(fd, LOCK_EX | LOCK_NB)); }

int32_t wpl_folder_create(const char *path) { return outcome(mkdir(path, 0777)); }
int32_t wpl_folder_sync(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int32_t result = wpl_file_sync(fd);
  close(fd);
  return result;
}
int32_t wpl_folder_open(const char *path) {
  return outcome(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
int32_t wpl_folder_visit(const char *path, int32_t (*visit)(void *, const char *),
                         void *context) {
  DIR *folder = opendir(path);
  if (folder == NULL) return -errno;
  struct dirent *entry;
  errno = 0;
  while ((entry = readdir(folder)) != NULL && visit(context, entry->d_name)) errno = 0;
  int32_t result = entry == NULL ? -errno : 0;
  closedir(folder);
  return result;
}

int32_t wpl_current_folder(char *path, size_t size) {
  return getcwd(path, size) == NULL ? -errno : 0;
}
int32_t wpl_host_name(char *name, size_t size) {
  if (gethostname(name, size) != 0) return -errno;
  name[size - 1] = 0;
  return 0;
}

char *const *wpl_environment(void) { return environ; }

int32_t wpl_process_id(void) { return getpid(); }
int32_t wpl_process_exists(int32_t process) { return kill(process, 0) == 0 || errno != ESRCH; }
void wpl_sleep(int64_t ns) {
  nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

int32_t wpl_random(void *bytes, size_t size) {
  size_t count = 0;
  while (count < size) {
    ssize_t n = getrandom((char *)bytes + count, size - count, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    count += (size_t)n;
  }
  return 0;
}
int64_t wpl_wall_time(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
