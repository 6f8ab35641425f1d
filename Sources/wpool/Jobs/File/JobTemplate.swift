// SPDX-License-Identifier: MIT

/// A job file to begin with: what may be changed stands behind `# `.
enum JobTemplate {
  static let whole = #"""
    # Jobs for wpool run. `wpool check FILE` checks it, `wpool run FILE -n` shows what would run.
    # Durations are seconds or "1h30m", "200ms"; sizes "512M", "8G"; paths are relative to this file's folder.
    version = 1
    name = "example"
    # stop_on_failure = true  # at the first failure nothing new begins; false is as -k
    # deadline = "6h"  # longest time of the whole run

    # [defaults]  # any key of a job but id, for those that do not say it
    # retries = 1

    # [limits]
    # max_workers = 8  # at most so many jobs at once, whatever -j says
    # memory = "16G"  # that running jobs may declare together
    # heavy_cpu = 2  # jobs with that hint at once
    # heavy_io = 2
    # pools = { database = 1 }  # anything else there is only so much of

    [[job]]
    id = "fetch-{day}"  # unique once the values are in place
    foreach = { day = ["mon", "tue"] }  # or { day = { lines = "days.txt" } }, { file = { glob = "in/*.gz" } }
    run = "echo {day} > {day}.txt"  # for sh; values are quoted, {day:raw} is not; {{ is a brace
    outputs = ["{day}.txt"]

    [[job]]
    id = "merge"
    after = ["fetch-*"]  # ids, patterns, "stage:NAME", "added:ID" (a job and all that it adds)
    run = ["sh", "-c", "cat mon.txt tue.txt > all.txt"]  # an array: no shell
    inputs = ["mon.txt", "tue.txt"]  # with outputs: the job is skipped while it is up to date
    outputs = ["all.txt"]
    # shell = "bash"  # for a text in run; or the words before it, ["bash", "-ec"]
    # cwd = "."
    # env = { LANG = "C" }
    # stdin = "all.txt"  # else /dev/null
    # console = true  # has the terminal, one such job at a time
    # when = "success"  # or always, failure: once all that it comes after is over, however
    # allow_failure = true  # does not count as a failure and holds nobody back
    # gather = true  # in no --shard, see wpool run --help
    # hint = "light_cpu"  # or heavy_cpu, light_io, heavy_io
    # cpus = 1  # slots
    # memory = "1G"
    # pools = { database = 1 }
    # priority = "normal"  # or low, high, critical, a number
    # timeout = "10m"  # of an attempt; the whole process group is ended
    # deadline = "1h"  # of all attempts
    # kill_grace = "5s"  # between SIGTERM and SIGKILL
    # on_leftover = "kill"  # or warn, leave: processes that the job leaves behind
    # retries = 0  # further attempts
    # retry_delay = "1s"
    # retry_backoff = 2.0  # each delay is so much longer than the one before
    # retry_max_delay = "1m"
    # retry_jitter = 0.1
    # retry_on = ["error", "timeout", "signal"]
    # no_retry_exit = [126, 127]

    # [[stage]]  # begins when the stage before it is over
    # name = "last"
    # max_workers = 2
    # stop_on_failure = true  # whether failures in it count
    # jobs = ["merge", { id = "report", run = "wc -l all.txt" }]

    # A job sees WPOOL_RUN_ID, WPOOL_JOB_ID, WPOOL_ATTEMPT (from 1), WPOOL_SLOT, WPOOL_CPUS and WPOOL_LOG_DIR, the run's
    # folder. Lines key=value that it writes to $WPOOL_OUTPUT are variables WPOOL_DEP_<id>_<key> of jobs that come after it, and
    # stand in their $WPOOL_DEPS, a JSON file. Each line of JSON in $WPOOL_SUBMIT, {"id": …, "run": …} with the keys above,
    # becomes a job when it has ended well.

    """#
}
