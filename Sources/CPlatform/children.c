/* SPDX-License-Identifier: MIT */
#include "CPlatformChildren.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

extern char **environ;

void wpl_child_close(int32_t *descriptor) {
  if (*descriptor >= 0) close(*descriptor);
  *descriptor = -1;
}

static char **environment_with(const char *setting) {
  size_t count = 0, name = strcspn(setting, "=") + 1, n = 0;
  while (environ[count]) count++;
  char **all = malloc((count + 2) * sizeof *all);
  if (all == NULL) return NULL;
  for (size_t i = 0; i < count; i++)
    if (strncmp(environ[i], setting, name) != 0) all[n++] = environ[i];
  all[n++] = (char *)setting;
  all[n] = NULL;
  return all;
}

static int spawn(wpl_child *child, int ends[3], const char *command, const char *setting) {
  char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
  char **environment = environment_with(setting);
  if (environment == NULL) return ENOMEM;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  int failed = 0;
  /* A descriptor that has the wanted number already keeps its close-on-exec flag: posix_spawn's
   * dup2 clears it in that case too (POSIX.1-2024). */
  for (int i = 0; i < 3 && !failed; i++)
    failed = posix_spawn_file_actions_adddup2(&actions, ends[i], i);
  if (!failed) failed = posix_spawnattr_setpgroup(&attributes, 0);
  if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
  if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!failed)
    failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF);
  pid_t process = -1;
  if (!failed)
    failed = posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  free(environment);
  child->process = process;
  return failed;
}

int32_t wpl_child_start(wpl_child *child, const char *command, const char *setting) {
  int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}, failed = 0;
  *child = (wpl_child){-1, -1, -1, -1};
  for (int i = 0; i < 3 && !failed; i++)
    if (pipe2(pipes[i], O_CLOEXEC) < 0) failed = errno;
  if (!failed) {
    int ends[3] = {pipes[0][0], pipes[1][1], pipes[2][1]};
    /* The child's ends must lie above 2, or one dup2 would overwrite another one's source. */
    for (int i = 0; i < 3 && !failed; i++) {
      if (ends[i] > 2) continue;
      int above = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
      if (above < 0) failed = errno;
      else close(ends[i]), ends[i] = above;
    }
    pipes[0][0] = ends[0], pipes[1][1] = ends[1], pipes[2][1] = ends[2];
    if (!failed) failed = spawn(child, ends, command, setting);
  }
  int own[3] = {pipes[0][1], pipes[1][0], pipes[2][0]};
  for (int i = 0; i < 3; i++) {
    int other = i == 0 ? pipes[0][0] : pipes[i][1];
    if (other >= 0) close(other);
    if (failed && own[i] >= 0) close(own[i]);
    if (!failed) fcntl(own[i], F_SETFL, fcntl(own[i], F_GETFL) | O_NONBLOCK);
#ifdef F_SETPIPE_SZ
    /* Both sides are woken less often; that the limit of the system forbids it is no matter. */
    if (!failed && i < 2) (void)fcntl(own[i], F_SETPIPE_SZ, PIPE_BYTES);
#endif
  }
  if (failed) return -failed;
  child->input = own[0], child->output = own[1], child->errors = own[2];
  return 0;
}

int32_t wpl_child_poll(const wpl_child *child, int32_t watches_input, int32_t milliseconds) {
  struct pollfd ends[3] = {{child->input, watches_input ? POLLOUT : 0, 0},
                           {child->output, POLLIN, 0},
                           {child->errors, POLLIN, 0}};
  int n = poll(ends, 3, milliseconds);
  if (n < 0) return errno == EINTR ? 0 : -errno;
  int mask = 0;
  for (int i = 0; i < 3; i++)
    if (ends[i].fd >= 0 && ends[i].revents) mask |= 1 << i;
  return mask;
}

void wpl_child_signal(const wpl_child *child, int32_t kills) {
  if (child->process > 0) kill(-child->process, kills ? SIGKILL : SIGTERM);
}

int32_t wpl_child_reap(const wpl_child *child, int32_t waits, int32_t *status) {
  int s;
  pid_t p;
  do p = waitpid(child->process, &s, waits ? 0 : WNOHANG);
  while (p < 0 && errno == EINTR);
  if (p < 0) return -errno;
  if (p == 0) return 1;
  *status = WIFSIGNALED(s) ? 256 + WTERMSIG(s) : WEXITSTATUS(s);
  return 0;
}
