// SPDX-License-Identifier: MIT
/* Records of jobs and going on from them: a program is killed in the middle, another one does the rest.
 * Called with `killed FOLDER DESCRIPTOR` this is the program that is killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <workpool.h>

#include "check.h"

enum { JOBS = 120, STOPS_AT = 60 };
static char folder[64], program[4096]; /* program: this one */
static int told = -1; /* where jobs say that they have run; -1: nowhere */
static int must_stop; /* job STOPS_AT never returns */
static int ran[JOBS];

static wp_jobpool *make(void) {
  wp_jobpool_options options = WP_JOBPOOL_OPTIONS_INIT;
  options.max_parallel_jobs = 2;
  wp_jobpool *jobs = NULL;
  CHECK_EQUAL(wp_jobpool_create(NULL, &options, &jobs), WP_OK);
  return jobs;
}

static void record(wp_jobpool *jobs) {
  wp_record_options options = WP_RECORD_OPTIONS_INIT;
  options.name = "test";
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, &options), WP_OK);
}

static int32_t work(void *context, wp_job_context *job) {
  int number = (int)(intptr_t)context;
  __atomic_fetch_add(&ran[number], 1, __ATOMIC_RELAXED);
  if (must_stop && number == STOPS_AT) pause();
  CHECK_EQUAL(wp_job_context_set_result(job, &number, sizeof number), WP_OK);
  if (told >= 0 && write(told, "x", 1) != 1) return -1001;
  return WP_OK;
}

/* Job n needs n / 2 and n - 1, all behind STOPS_AT wait for it. */
static void submit_all(wp_jobpool *jobs, wp_job *numbers) {
  static char names[JOBS][8];
  wp_job_options all[JOBS];
  const char *needs[JOBS][2];
  for (int n = 0; n < JOBS; n++) {
    snprintf(names[n], sizeof names[n], "j%d", n);
    all[n] = (wp_job_options)WP_JOB_OPTIONS_INIT;
    all[n].id = names[n];
    all[n].fn = work;
    all[n].context = (void *)(intptr_t)n;
    all[n].definition = "version 1";
    needs[n][0] = names[n / 2];
    needs[n][1] = names[n > STOPS_AT ? STOPS_AT : n > 0 ? n - 1 : 0];
    all[n].dependencies = needs[n];
    all[n].dependency_count = n > 0 ? 2 : 0;
  }
  CHECK_EQUAL(wp_jobpool_submit_many(jobs, all, JOBS, 0, -1, numbers), WP_OK);
}

static int be_killed(void) {
  must_stop = 1;
  wp_jobpool *jobs = make();
  record(jobs);
  submit_all(jobs, NULL);
  wp_jobpool_wait_all(jobs, -1); /* never returns */
  return 1;
}

/* The program's end is a kill, after `count` jobs said that they had run. */
static void kill_after(int count) {
  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  char text[16];
  snprintf(text, sizeof text, "%d", ends[1]);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    execl(program, "test_record", "killed", folder, text, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  for (int got = 0; got < count;) {
    char bytes[64];
    ssize_t size = read(ends[0], bytes, sizeof bytes);
    if (size <= 0) break;
    got += (int)size;
  }
  kill(child, SIGKILL);
  int status = 0;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  close(ends[0]);
}

static wp_run_record *open_last(void) {
  wp_run_record *record = NULL;
  CHECK_EQUAL(wp_run_record_open(folder, NULL, &record), WP_OK);
  return record;
}

static void killed_and_resumed(void) {
  static const int counts[] = {1, 30, STOPS_AT};
  for (unsigned k = 0; k < sizeof counts / sizeof *counts; k++) {
    kill_after(counts[k]);
    wp_run_record *record_of = open_last();
    int was_done[JOBS] = {0}, interrupted = 0;
    wp_run_job job = {.struct_size = sizeof job};
    int count = 0, status;
    while ((status = wp_run_record_next_job(record_of, &job)) == WP_OK) {
      int number = atoi(job.id + 1);
      was_done[number] = job.state == WP_JOB_COMPLETED;
      if (was_done[number]) CHECK(job.attempts == 1 && job.start_ns >= 0 && job.end_ns >= 0);
      interrupted += job.interrupted;
      CHECK(strlen(job.definition) == 32);
      count++;
    }
    CHECK_EQUAL(status, WP_END);
    CHECK_EQUAL(count, JOBS);
    CHECK(interrupted <= 2);
    /* What a job needed was on record before it could say that it had run. */
    for (int n = 0; n < counts[k] - 1; n++) CHECK(was_done[n]);
    CHECK(!was_done[STOPS_AT]);

    memset(ran, 0, sizeof ran);
    wp_jobpool *jobs = make();
    CHECK_EQUAL(wp_jobpool_resume_from(jobs, record_of, WP_ORPHANS_REFUSE), WP_OK);
    CHECK_EQUAL(wp_run_record_close(record_of), WP_OK);
    record(jobs);
    wp_job numbers[JOBS];
    submit_all(jobs, numbers);
    CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
    for (int n = 0; n < JOBS; n++) {
      CHECK_EQUAL(ran[n], was_done[n] ? 0 : 1);
      CHECK_EQUAL(wp_job_state(jobs, numbers[n]), was_done[n] ? WP_JOB_SKIPPED : WP_JOB_COMPLETED);
      int result = -1;
      size_t size = 0;
      CHECK_EQUAL(wp_job_result(jobs, numbers[n], &result, sizeof result, &size), WP_OK);
      CHECK(size == sizeof result && result == n);
    }
    CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  }
}

static void resumed_again(void) {
  /* The last run, itself a resumed one, is all done. */
  memset(ran, 0, sizeof ran);
  wp_run_record *last = open_last();
  wp_jobpool *jobs = make(), *other = make();
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, last, WP_ORPHANS_REFUSE), WP_OK);
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, last, WP_ORPHANS_REFUSE), WP_BUSY);
  CHECK_EQUAL(wp_jobpool_resume_from(other, last, WP_ORPHANS_REFUSE), WP_BUSY);
  CHECK(strstr(wp_last_error_text(), "in use") != NULL);
  wp_job numbers[JOBS];
  submit_all(jobs, numbers);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  for (int n = 0; n < JOBS; n++) {
    int32_t detail;
    CHECK_EQUAL(ran[n], 0);
    CHECK_EQUAL(wp_job_reason(jobs, numbers[n], &detail), WP_REASON_RESUMED);
  }
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  CHECK_EQUAL(wp_jobpool_resume_from(other, last, WP_ORPHANS_REFUSE), WP_OK);
  CHECK_EQUAL(wp_jobpool_destroy(other), WP_OK);
  CHECK_EQUAL(wp_run_record_close(last), WP_OK);
}

static void cannot(void) {
  wp_jobpool *jobs = make();
  CHECK_EQUAL(wp_jobpool_run_folder(jobs, NULL, 0, NULL), WP_INVALID_STATE);
  wp_record_options options = WP_RECORD_OPTIONS_INIT;
  options.run_id = "a/b";
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, &options), WP_INVALID_ARGUMENT);
  options.run_id = "mine";
  options.sync = 3;
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, &options), WP_INVALID_ARGUMENT);
  options.sync = WP_SYNC_ALWAYS;
  CHECK_EQUAL(wp_jobpool_record_to(jobs, "/proc/nowhere", &options), WP_IO_FAILED);
  CHECK_EQUAL(wp_jobpool_record_to(jobs, NULL, &options), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, &options), WP_OK);
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, NULL), WP_INVALID_STATE);
  char path[128];
  size_t length = 0;
  CHECK_EQUAL(wp_jobpool_run_folder(jobs, path, sizeof path, &length), WP_OK);
  CHECK(length == strlen(path) && strcmp(path + length - 5, "/mine") == 0);
  wp_run_record *own = NULL;
  CHECK_EQUAL(wp_run_record_open(folder, "mine", &own), WP_OK);
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, own, WP_ORPHANS_REFUSE), WP_BUSY);
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, own, 4), WP_INVALID_ARGUMENT);
  wp_run_job job = {.struct_size = 4};
  CHECK_EQUAL(wp_run_record_next_job(own, &job), WP_INVALID_ARGUMENT);
  job.struct_size = sizeof job;
  CHECK_EQUAL(wp_run_record_next_job(own, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_run_record_next_job(own, &job), WP_END);
  CHECK_EQUAL(wp_run_record_close(own), WP_OK);
  CHECK_EQUAL(wp_run_record_close(NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  jobs = make();
  CHECK_EQUAL(wp_jobpool_record_to(jobs, folder, &options), WP_EXISTS);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  CHECK_EQUAL(wp_run_record_open(folder, "nobody", &own), WP_NOT_FOUND);
  CHECK_EQUAL(wp_run_record_open("/nowhere", NULL, &own), WP_NOT_FOUND);
}

static void read_file(const char *path, char *text, size_t size) {
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  size_t count = file ? fread(text, 1, size - 1, file) : 0;
  text[count] = 0;
  if (file) fclose(file);
}

static int32_t say(void *context, wp_job_context *job) {
  (void)context;
  CHECK_EQUAL(wp_job_context_log(job, WP_LOG_WARNING, "load", "half", "{ \"done\": 0.5 }"), WP_OK);
  CHECK_EQUAL(wp_job_context_log(job, WP_LOG_INFO, NULL, "x", "{"), WP_INVALID_ARGUMENT);
  return WP_OK;
}

static void words(void) {
  wp_jobpool *jobs = make();
  record(jobs);
  wp_job_options job = WP_JOB_OPTIONS_INIT;
  job.id = "say";
  job.fn = say;
  wp_job number;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &job, 0, -1, &number), WP_OK);
  const char *argv[] = {"/bin/sh", "-c", "echo $WPOOL_JOB_ID; exit 3"};
  wp_job_options command = WP_JOB_OPTIONS_INIT;
  command.id = "command";
  command.kind = WP_JOB_COMMAND;
  command.argv = argv;
  command.argc = 3;
  CHECK_EQUAL(wp_jobpool_submit(jobs, &command, 0, -1, &number), WP_OK);
  CHECK_EQUAL(wp_jobpool_wait_all(jobs, -1), WP_OK);
  char run[128], path[256], text[4096];
  CHECK_EQUAL(wp_jobpool_run_folder(jobs, run, sizeof run, NULL), WP_OK);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  snprintf(path, sizeof path, "%s/jobs/say.1.log", run);
  read_file(path, text, sizeof text);
  CHECK(text[0] == '[' && strstr(text, "Z] [WARNING] [load] half {\"done\":0.5}\n") != NULL);
  snprintf(path, sizeof path, "%s/jobs/command.1.out", run);
  read_file(path, text, sizeof text);
  CHECK_TEXT(text, "command\n");
  snprintf(path, sizeof path, "%s/run.json", run);
  read_file(path, text, sizeof text);
  CHECK(strstr(text, "\"finished\":true,\"success\":false,\"total\":2,\"succeeded\":1") != NULL);
}

/* The killed program of `orphan`: a command that says on a FIFO that it is there and stays. */
static int leave_orphan(void) {
  char line[160];
  snprintf(line, sizeof line, "echo $$ > %s/fifo; exec sleep 1000", folder);
  const char *argv[] = {"/bin/sh", "-c", line};
  wp_jobpool *jobs = make();
  record(jobs);
  wp_job_options command = WP_JOB_OPTIONS_INIT;
  command.id = "stays";
  command.kind = WP_JOB_COMMAND;
  command.argv = argv;
  command.argc = 3;
  wp_jobpool_submit(jobs, &command, 0, -1, NULL);
  wp_jobpool_wait_all(jobs, -1);
  return 1;
}

static void orphan(void) {
  char fifo[96], text[32] = "";
  snprintf(fifo, sizeof fifo, "%s/fifo", folder);
  CHECK_EQUAL(mkfifo(fifo, 0600), 0);
  pid_t child = fork();
  if (child == 0) {
    execl(program, "test_record", "orphan", folder, (char *)NULL);
    _exit(127);
  }
  read_file(fifo, text, sizeof text);
  kill(child, SIGKILL);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
  text[strcspn(text, "\n")] = 0;
  pid_t process = (pid_t)atoi(text);
  CHECK(process > 1 && kill(process, 0) == 0);
  wp_run_record *last = open_last();
  wp_jobpool *jobs = make();
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, last, WP_ORPHANS_REFUSE), WP_BUSY);
  CHECK(strstr(wp_last_error_text(), text) != NULL);
  CHECK_EQUAL(wp_jobpool_resume_from(jobs, last, WP_ORPHANS_KILL), WP_OK);
  CHECK_EQUAL(wp_jobpool_destroy(jobs), WP_OK);
  CHECK_EQUAL(wp_run_record_close(last), WP_OK);
}

int main(int argc, char **argv) {
  if (argc > 2) {
    snprintf(folder, sizeof folder, "%s", argv[2]);
    if (argc > 3) told = atoi(argv[3]);
    return argc > 3 ? be_killed() : leave_orphan();
  }
  if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 1;
  strcpy(folder, "/tmp/wpool-record.XXXXXX");
  if (!mkdtemp(folder)) return 1;
  RUN("J25: a program that is killed loses no finished job, and none runs twice", killed_and_resumed);
  RUN("a resumed run can be resumed, by one pool at a time", resumed_again);
  RUN("what cannot be recorded or opened says why", cannot);
  RUN("what jobs say and print is in the run's folder", words);
  RUN("a child that outlived its program is named, and ended where that is wanted", orphan);
  char line[128];
  snprintf(line, sizeof line, "rm -r %s", folder);
  CHECK_EQUAL(system(line), 0);
  return CHECK_SUMMARY();
}
