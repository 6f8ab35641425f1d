// SPDX-License-Identifier: MIT
// A pool is a fixed number of threads, its workers. Make one, ask it, close it.
import Workpool

// Pool() has one worker for each CPU that this process may use: Pool.usableCPUs.
var options = Pool.Options()
options.workers = 3
options.namePrefix = "example"
let pool = try Pool(options)
print("a pool of \(pool.workerCount) workers")
print("the main thread is \(Pool.currentWorker == nil ? "none" : "one") of them")
print("usable CPUs: \(Pool.usableCPUs >= 1 ? "at least one" : "none")")

// What can happen to a correct program is thrown: a status, and a sentence.
do {
  options.workers = 5000
  _ = try Pool(options)
} catch {
  print("a pool of 5000 workers: \(error.status.name)")  // error.text says more
}

// Ends the threads and waits for that. A pool is closed by a call, never by its deinit.
try pool.close()
print("destroyed: yes")
