/* SPDX-License-Identifier: MIT */
#include "CPlatform.h"

#include <stdatomic.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

extern char **environ;

const int32_t wpl_sigterm = SIGTERM, wpl_sigkill = SIGKILL, wpl_sigcont = SIGCONT,
              wpl_sigint = SIGINT, wpl_sigquit = SIGQUIT,
              wpl_sigtstp = SIGTSTP, wpl_sigchld = SIGCHLD;

static int pidfds_are_hidden;
void wpl_process_hide_pidfds(int32_t hides) {
  __atomic_store_n(&pidfds_are_hidden, hides, __ATOMIC_RELAXED);
}

/* Of /proc/PID/stat, behind the name in brackets: state, parent, group, and when it began. */
typedef struct stat_line {
  char state;
  int parent, group;
  unsigned long long start;
} stat_line;
static int read_stat(int32_t process, stat_line *line);

/* --- start ------------------------------------------------------------------------------ */

/* A process that ignores SIGCHLD has its children reaped by the kernel: their end and how it came
 * would be lost. */
static int sigchld_is_ignored(void) {
  struct sigaction action;
  return sigaction(SIGCHLD, NULL, &action) == 0 &&
         (action.sa_handler == SIG_IGN || action.sa_flags & SA_NOCLDWAIT);
}

/* A copy above 2, so that no dup2 of the child's overwrites another one's source. */
static int above_standard(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  errno = error;
  return copy;
}

static int open_input(const char *path) {
  /* Not to hang in open(2) where a FIFO has no writer. */
  int fd = open(path ? path : "/dev/null", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return above_standard(fd);
}

static int copy_output(int fd) {
  if (fd < 0) return above_standard(open("/dev/null", O_WRONLY | O_CLOEXEC));
  return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

enum { ENDS = 5 };

static int spawn(const wpl_process_start_options *o, const int ends[ENDS], pid_t *process) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed) return failed;
  failed = posix_spawnattr_init(&attributes);
  if (failed) {
    posix_spawn_file_actions_destroy(&actions);
    return failed;
  }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  /* While descriptor 0 still is the terminal; SIGTTOU is blocked or at home in the foreground. */
  if (!failed && o->owns_terminal && isatty(0))
    failed = posix_spawn_file_actions_addtcsetpgrp_np(&actions, 0);
#endif
  int above = 3;
  for (int i = 0; i < ENDS && !failed; i++) {
    if (ends[i] < 0) continue;
    failed = posix_spawn_file_actions_adddup2(&actions, ends[i], i);
    if (i >= above) above = i + 1;
  }
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  /* Elsewhere: all that this library opens is closed on exec. */
  if (!failed) failed = posix_spawn_file_actions_addclosefrom_np(&actions, above);
#endif
  if (!failed && o->folder) failed = posix_spawn_file_actions_addchdir_np(&actions, o->folder);
  if (!failed) failed = posix_spawnattr_setpgroup(&attributes, 0);
  if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
  if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!failed)
    failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF);
  if (!failed)
    failed = posix_spawnp(process, o->arguments[0], &actions, &attributes,
                          (char *const *)o->arguments,
                          o->environment ? (char *const *)o->environment : environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

/* --- the end, without pidfds -------------------------------------------------------------- */

/* Where the kernel has no pidfds, a thread waits, without reaping, and closes the pipe whose other
 * end is polled. */
typedef struct watch {
  wpl_thread *thread;
  pid_t process;
  int end;
} watch;

static void wait_for_end(void *argument) {
  watch *w = argument;
  siginfo_t info;
  while (waitid(P_PID, (id_t)w->process, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  close(w->end);
}

static int watch_by_thread(wpl_process *p) {
  int ends[2];
  watch *w = wpl_allocate(sizeof *w);
  if (w == NULL) return -ENOMEM;
  if (pipe2(ends, O_CLOEXEC) < 0) {
    int error = errno;
    wpl_free(w);
    return -error;
  }
  *w = (watch){.process = p->process, .end = ends[1]};
  w->thread = wpl_thread_create("wp-child", 65536, wait_for_end, w);
  if (w->thread == NULL) {
    close(ends[0]);
    close(ends[1]);
    wpl_free(w);
    return -EAGAIN;
  }
  p->descriptor = ends[0];
  p->watch = w;
  return 0;
}

int32_t wpl_process_watch(int32_t process) {
#ifdef SYS_pidfd_open
  if (!__atomic_load_n(&pidfds_are_hidden, __ATOMIC_RELAXED)) {
    int fd = (int)syscall(SYS_pidfd_open, process, 0); /* close-on-exec by itself */
    return fd < 0 ? -errno : fd;
  }
#endif
  (void)process;
  return -ENOSYS;
}

static _Atomic int64_t starts_left = -1;
void wpl_fail_process_start_after(int64_t count) { starts_left = count; }
static int start_must_fail(void) {
  int64_t left = starts_left;
  while (left >= 0) {
    if (atomic_compare_exchange_weak(&starts_left, &left, left - 1)) return left == 0;
  }
  return 0;
}

int32_t wpl_process_start(const wpl_process_start_options *options, wpl_process *process) {
  if (start_must_fail()) return -EAGAIN;
  *process = (wpl_process){.process = -1, .descriptor = -1};
  if (sigchld_is_ignored()) return -WPL_PROCESS_IGNORED_SIGCHLD;
  int ends[ENDS] = {-1, -1, -1, -1, -1}, failed = 0;
  if (!options->owns_terminal || options->input) {
    ends[0] = open_input(options->input);
    if (ends[0] < 0) failed = errno;
  }
  for (int i = 1; i < 3 && !failed; i++) {
    int given = i == 1 ? options->output : options->errors;
    ends[i] = copy_output(given);
    if (ends[i] < 0) failed = errno;
  }
  /* Above those numbers, as above_standard. */
  for (int i = 3; i < ENDS && options->channel && !failed; i++) {
    ends[i] = fcntl(options->channel[i - 3], F_DUPFD_CLOEXEC, ENDS);
    if (ends[i] < 0) failed = errno;
  }
  for (int i = 0; i < 3 && options->channel && !failed; i++) {
    if (ends[i] < 0 || ends[i] >= ENDS) continue;
    int copy = fcntl(ends[i], F_DUPFD_CLOEXEC, ENDS);
    if (copy < 0) failed = errno;
    else close(ends[i]), ends[i] = copy;
  }
  pid_t leader = -1;
  if (!failed) failed = spawn(options, ends, &leader);
  for (int i = 0; i < ENDS; i++)
    if (ends[i] >= 0) close(ends[i]);
  if (failed) return -failed;
  process->process = leader;
  stat_line line;
  process->start_ticks = read_stat(leader, &line) == 0 ? line.start : 0;
  process->descriptor = wpl_process_watch(leader);
  if (process->descriptor >= 0) return 0;
  /* EMFILE and the like are no reason to fall back, but then the child must not be left alone. */
  int watched = process->descriptor == -ENOSYS || process->descriptor == -EINVAL ||
                        process->descriptor == -EPERM
                    ? watch_by_thread(process)
                    : process->descriptor;
  if (watched == 0) return 0;
  kill(-leader, SIGKILL);
  while (waitpid(leader, NULL, 0) < 0 && errno == EINTR) {
  }
  *process = (wpl_process){.process = -1, .descriptor = -1};
  return watched;
}

/* --- end ---------------------------------------------------------------------------------- */

int32_t wpl_process_has_ended(const wpl_process *process) {
  siginfo_t info = {0};
  int result;
  do result = waitid(P_PID, (id_t)process->process, &info, WEXITED | WNOWAIT | WNOHANG);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : info.si_pid != 0;
}

static int64_t nanoseconds(struct timeval t) {
  return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

int32_t wpl_process_reap(wpl_process *process, int32_t waits, wpl_process_end *end) {
  int status = 0;
  struct rusage usage = {0};
  pid_t p;
  do p = wait4(process->process, &status, waits ? 0 : WNOHANG, &usage);
  while (p < 0 && errno == EINTR);
  if (p == 0) return -EAGAIN;
  int error = p < 0 ? errno : 0;
  if (process->watch) {
    watch *w = process->watch;
    wpl_thread_join(w->thread);
    wpl_free(w);
  }
  if (process->descriptor >= 0) close(process->descriptor);
  process->watch = NULL;
  process->descriptor = -1;
  process->process = -1;
  if (error) return -error;
  *end = (wpl_process_end){
      .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
      .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
      .user_time = nanoseconds(usage.ru_utime), .system_time = nanoseconds(usage.ru_stime),
      .peak_memory = (int64_t)usage.ru_maxrss * 1024};
  return 0;
}

/* --- signals ------------------------------------------------------------------------------ */

int32_t wpl_process_signal_group(int32_t group, int32_t number) {
  if (group <= 1) return -EINVAL;
  return kill(-group, number) < 0 && errno != ESRCH ? -errno : 0;
}
int32_t wpl_process_signal(int32_t process, int32_t number) {
  if (process <= 1) return -EINVAL;
  return kill(process, number) < 0 && errno != ESRCH ? -errno : 0;
}
const char *wpl_signal_name(int32_t number) {
  switch (number) {
    case SIGHUP: return "SIGHUP";
    case SIGINT: return "SIGINT";
    case SIGQUIT: return "SIGQUIT";
    case SIGILL: return "SIGILL";
    case SIGTRAP: return "SIGTRAP";
    case SIGABRT: return "SIGABRT";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGKILL: return "SIGKILL";
    case SIGUSR1: return "SIGUSR1";
    case SIGSEGV: return "SIGSEGV";
    case SIGUSR2: return "SIGUSR2";
    case SIGPIPE: return "SIGPIPE";
    case SIGALRM: return "SIGALRM";
    case SIGTERM: return "SIGTERM";
    case SIGCONT: return "SIGCONT";
    case SIGXCPU: return "SIGXCPU";
    case SIGXFSZ: return "SIGXFSZ";
    case SIGSYS: return "SIGSYS";
    default: return NULL;
  }
}

/* --- who is there --------------------------------------------------------------------------- */

static int read_stat(int32_t process, stat_line *line) {
#ifdef __linux__
  char path[40], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return -ESRCH;
  text[n] = 0;
  /* The name may hold brackets and blanks: the last bracket ends it. */
  char *rest = strrchr(text, ')');
  if (rest == NULL ||
      sscanf(rest + 1,
             " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
             &line->state, &line->parent, &line->group, &line->start) != 4)
    return -EINVAL;
  return 0;
#else
  (void)process, (void)line;
  return -ENOSYS;
#endif
}

static int is_alive(const stat_line *line) { return line->state != 'Z' && line->state != 'X'; }

/* Calls `visit` for every process until it returns 0. */
static int32_t each_process(int (*visit)(void *, int32_t), void *context) {
#ifdef __linux__
  DIR *folder = opendir("/proc");
  if (folder == NULL) return -errno;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char *end;
    long number = strtol(entry->d_name, &end, 10);
    if (*end == 0 && number > 0 && !visit(context, (int32_t)number)) break;
  }
  closedir(folder);
  return 0;
#else
  (void)visit, (void)context;
  return -ENOSYS;
#endif
}

typedef struct selection {
  int32_t wanted, *found, size, count;
} selection;
static void add(selection *s, int32_t process) {
  if (s->count < s->size) s->found[s->count] = process;
  s->count++;
}

static int take_member(void *context, int32_t process) {
  selection *s = context;
  stat_line line;
  /* getpgid is a small part of the price of opening a file. */
  if (process != s->wanted && getpgid(process) == s->wanted && read_stat(process, &line) == 0 &&
      is_alive(&line) && line.group == s->wanted)
    add(s, process);
  return 1;
}
/* Whether all children of this process lead groups of their own. If it takes orphans over, `group`, whose
 * leader has ended, then has no other member: those it left would be children of this process. 0 also if
 * that is not known. Costs a few system calls where a look at all processes costs one for each. */
static int has_only_leaders(void) {
#if defined __linux__ && defined PR_GET_CHILD_SUBREAPER
  int adopts = 0;
  if (prctl(PR_GET_CHILD_SUBREAPER, &adopts, 0, 0, 0) < 0 || !adopts) return 0;
  DIR *folder = opendir("/proc/self/task");
  if (folder == NULL) return 0;
  int only = 1;
  for (struct dirent *entry; only && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[64 + sizeof entry->d_name];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
    FILE *children = fopen(path, "re");
    only = children != NULL;
    for (int child; only && fscanf(children, "%d", &child) == 1;)
      only = getpgid(child) == child;
    if (children) fclose(children);
  }
  closedir(folder);
  return only;
#else
  return 0;
#endif
}

int32_t wpl_process_members(int32_t group, int32_t *members, int32_t size) {
  if (has_only_leaders()) return 0;
  selection s = {.wanted = group, .found = members, .size = size};
  int32_t failed = each_process(take_member, &s);
  return failed ? failed : s.count;
}

static int take_child(void *context, int32_t process) {
  selection *s = context;
  stat_line line;
  if (read_stat(process, &line) == 0 && line.parent == s->wanted && is_alive(&line))
    add(s, process);
  return 1;
}
int32_t wpl_process_children(int32_t *children, int32_t size) {
  selection s = {.wanted = getpid(), .found = children, .size = size};
  int32_t failed = each_process(take_child, &s);
  return failed ? failed : s.count;
}

static int take_any(void *context, int32_t process) {
  add(context, process);
  return 1;
}
int32_t wpl_process_all(int32_t *processes, int32_t size) {
  selection s = {.found = processes, .size = size};
  int32_t failed = each_process(take_any, &s);
  return failed ? failed : s.count;
}

uint64_t wpl_process_start_ticks(int32_t process) {
  stat_line line;
  return read_stat(process, &line) == 0 && is_alive(&line) ? line.start : 0;
}

int64_t wpl_process_variable(int32_t process, const char *name, char *value, size_t size) {
#ifdef __linux__
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/environ", process);
  FILE *file = fopen(path, "re");
  if (file == NULL) return -errno;
  size_t length = strlen(name), capacity = 0;
  char *text = NULL;
  int64_t result = -ENOENT;
  while (getdelim(&text, &capacity, 0, file) > 0) {
    if (strncmp(text, name, length) != 0 || text[length] != '=') continue;
    snprintf(value, size, "%s", text + length + 1);
    result = (int64_t)strlen(value);
    break;
  }
  free(text);
  fclose(file);
  return result;
#else
  (void)process, (void)name, (void)value, (void)size;
  return -ENOSYS;
#endif
}

void wpl_terminal_give(int32_t group) {
  sigset_t output, before;
  if (!isatty(0)) return;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &output, &before);
  tcsetpgrp(0, group);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}
void wpl_terminal_take(void) { wpl_terminal_give(getpgrp()); }

int32_t wpl_process_was_stopped(int32_t process) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)process, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == process;
}

/* --- orphans ------------------------------------------------------------------------------ */

int32_t wpl_process_adopts_orphans(void) {
#ifdef PR_SET_CHILD_SUBREAPER
  return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
#else
  return -ENOSYS;
#endif
}

void wpl_process_reap_adopted(const int32_t *leaders, int32_t count) {
  for (;;) {
    siginfo_t info = {0};
    /* Only a look; a leader that has ended hides the others until it is reaped itself. */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid == 0) return;
    for (int32_t i = 0; i < count; i++)
      if (leaders[i] == info.si_pid) return;
    waitpid(info.si_pid, NULL, WNOHANG);
  }
}

int64_t wpl_process_memory(int32_t process) {
#ifdef __linux__
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/statm", process);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  long long all, resident;
  int found = fscanf(file, "%lld %lld", &all, &resident);
  fclose(file);
  return found == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
#else
  (void)process;
  return 0;
#endif
}
