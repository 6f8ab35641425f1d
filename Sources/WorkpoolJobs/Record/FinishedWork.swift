// SPDX-License-Identifier: MIT

/// Jobs that an earlier run has done, by number.
public enum FinishedWork {
  /// Takes out of `done` what does not stand on finished work alone. O(jobs and dependencies).
  ///
  /// - Parameter needs: of a job in `done`, those it needs done; nil: it needs something else that is not.
  public static func keepStanding(_ done: inout Set<Int>, needs: (Int) -> [Int]?) {
    var dependents: [Int: [Int]] = [:]
    var fallen: [Int] = []
    for job in done {
      guard let needed = needs(job), needed.allSatisfy({ done.contains($0) }) else {
        fallen.append(job)
        continue
      }
      for other in needed { dependents[other, default: []].append(job) }
    }
    while let job = fallen.popLast() {
      guard done.remove(job) != nil else { continue }
      fallen += dependents[job] ?? []
    }
  }
}
