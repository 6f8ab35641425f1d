// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Processes of jobs whose end nobody wrote down: their run was killed, and they live on.
public struct Orphans {
  public enum Choice: String, CaseIterable, Sendable { case refuse, kill, wait, ignore }

  private let history: RunHistory
  private let interrupted: Set<String>

  public init(of history: RunHistory) {
    self.history = history
    interrupted = Set(history.jobs.filter { $0.isInterrupted }.map { $0.id })
  }

  /// `4711 (align), 4712 (sort)`
  private static func text(_ found: [(job: String, process: Int32)]) -> String {
    var text = ""
    for orphan in found {
      text += (text.isEmpty ? "" : ", ") + "\(orphan.process) (\(orphan.job))"
    }
    return text
  }

  /// Those that there are now. Of another boot there is none.
  private func find() -> [(job: String, process: Int32)] {
    guard !interrupted.isEmpty, !history.bootID.isEmpty, history.bootID == Surroundings.bootID
    else { return [] }
    var room = [Int32](repeating: 0, count: 65_536)
    let count = wpl_process_all(&room, 65_536)
    var found: [(job: String, process: Int32)] = []
    for process in room[..<Int(max(0, min(count, 65_536)))] {
      var text = [CChar](repeating: 0, count: 512)
      guard wpl_process_variable(process, "WPOOL_RUN_ID", &text, 512) > 0,
        Surroundings.text(text) == history.id,
        wpl_process_variable(process, "WPOOL_JOB_ID", &text, 512) > 0,
        wpl_process_start_ticks(process) > 0
      else { continue }
      let job = Surroundings.text(text)
      if interrupted.contains(job) { found.append((job, process)) }
    }
    return found
  }

  /// - Parameter waits: called once with words for the user, before it waits for their ends.
  /// - Throws: `busy`, naming them: they are there and shall not be, or cannot be ended.
  public func settle(_ choice: Choice, waits: (String) -> Void = { _ in }) throws(WorkpoolError) {
    var found = choice == .ignore ? [] : find()
    if found.isEmpty { return }
    switch choice {
    case .ignore: break
    case .refuse:
      throw WorkpoolError(
        .busy, "processes of the run \(history.id) still run: \(Self.text(found))")
    case .kill:
      for (number, rounds) in [(wpl_sigterm, 200), (wpl_sigkill, 200)] {
        for orphan in found { _ = wpl_process_signal(orphan.process, number) }
        for _ in 0..<rounds where !found.isEmpty {
          wpl_sleep(10_000_000)
          found = found.filter { wpl_process_start_ticks($0.process) > 0 }
        }
      }
      guard found.isEmpty else {
        throw WorkpoolError(.busy, "processes cannot be ended: \(Self.text(found))")
      }
    case .wait:
      waits("waiting for processes of the run \(history.id): \(Self.text(found))")
      while let first = found.first {
        let watch = wpl_process_watch(first.process)
        if watch >= 0 {
          _ = wpl_file_wait_input(watch, 1000)
          _ = wpl_file_close(watch)
        } else {
          wpl_sleep(50_000_000)
        }
        found = find()
      }
    }
  }
}
