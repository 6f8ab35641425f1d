// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Synchronization
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct RunRecorderTests {
  private let folder: String

  init() throws {
    var template = Array("/tmp/wpool-record.XXXXXX".utf8CString)
    folder = String(cString: try #require(mkdtemp(&template)))
  }

  private func makePool(slots: Int = 2) throws -> JobPool {
    var options = JobPool.Options()
    options.scheduling.limits.slots = slots
    return try JobPool(options)
  }

  private func record(
    _ jobs: JobPool, sync: JournalWriter.Sync = .group, id: String = ""
  ) throws -> String {
    var options = RecordOptions()
    options.sync = sync
    options.runID = id
    try jobs.record(to: folder + "/runs", options)
    return try #require(jobs.recordedRun?.folder)
  }

  private func callback(
    _ id: String, after: [String] = [], definition: String = "1",
    _ function: @escaping (JobContext) -> JobOutcome = { _ in .completed }
  ) -> Job {
    var spec = JobSpec(id)
    spec.dependencies = after
    let made = Job(spec, .callback(function))
    made.definition = definition
    return made
  }

  @Test(
    "the end of a job is in the journal when a dependent starts, and when a wait for it returns",
    arguments: [JournalWriter.Sync.group, .always, .none])
  func endFirst(_ sync: JournalWriter.Sync) throws {
    let jobs = try makePool()
    let run = try record(jobs, sync: sync)
    let seen = Notes<String>()
    func state(of id: String) -> String {
      (try? RunHistory(folder: run))?.job(id)?.state ?? "unreadable"
    }
    for number in 1...20 {
      let before = "\(number - 1)"
      try jobs.submit(
        callback("\(number)", after: number == 1 ? [] : [before]) { _ in
          if number > 1 { seen.add(state(of: before)) }
          return .completed
        })
    }
    let last = try #require(jobs.find("20"))
    #expect(try jobs.wait(for: last) == .ok)
    #expect(state(of: "20") == "COMPLETED")
    #expect(seen.all == [String](repeating: "COMPLETED", count: 19))
    try jobs.close()
    let history = try RunHistory(folder: run)
    #expect(history.isFinished)
    #expect(history.jobs.allSatisfy { $0.state == "COMPLETED" && $0.attempts.count == 1 })
    let summary = try JSONParser.parse(SmallFile.read(run + "/run.json"))
    #expect(summary["success"]?.bool == true && summary["succeeded"]?.int == 20)
    let trace = try JSONParser.parse(SmallFile.read(run + "/trace.json"))
    let bars = try #require(trace["traceEvents"]?.list)
    #expect(bars.count { $0["ph"]?.text == "X" } == 20)
    let picture = try String(decoding: SmallFile.read(run + "/timeline.svg"), as: UTF8.self)
    #expect(picture.hasPrefix("<svg") && picture.hasSuffix("</svg>\n"))
  }

  @Test("a record begins before the first job, once, and under an id of its own")
  func onlyOnce() throws {
    let jobs = try makePool()
    _ = try record(jobs, id: "mine")
    #expect(throws: WorkpoolError.self) { try record(jobs) }
    try jobs.close()
    let other = try makePool()
    #expect(throws: WorkpoolError.self) { try record(other, id: "mine") }
    try other.submit(callback("a"))
    #expect(throws: WorkpoolError.self) { try record(other) }
    #expect(try other.waitForAll() == .ok)
    try other.close()
  }

  @Test("what jobs say is in the log of the attempt, a line each")
  func logs() throws {
    let jobs = try makePool()
    let run = try record(jobs)
    var spec = JobSpec("a/b")
    spec.retry.maxRetries = 1
    spec.retry.delay = 0
    try jobs.submit(
      Job(
        spec,
        .callback { context in
          try? context.log(.info, "load", "two\nlines", data: Array("{ \"n\": 1 }".utf8))
          let isRefused = (try? context.log(.error, "", "x", data: Array("{".utf8))) == nil
          return JobOutcome(.error, isRefused ? context.attempt : 99)
        }))
    #expect(try jobs.waitForAll() == .ok)
    try jobs.close()
    let names = Runs.names(run + "/jobs").sorted()
    #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("a_b-") })
    for name in names {
      let text = String(decoding: try SmallFile.read(run + "/jobs/" + name), as: UTF8.self)
      #expect(text.hasSuffix("Z] [INFO] [load] two lines {\"n\":1}\n") && text.hasPrefix("[20"))
    }
    #expect(try RunHistory(folder: run).jobs[0].detail == 2)
  }

  @Test("a command's words, its process and how it ended are on record")
  func command() throws {
    let jobs = try makePool()
    let run = try record(jobs)
    var spec = JobSpec("say")
    spec.kind = .command
    try jobs.submit(
      Job(
        spec,
        .detached(
          CommandWork { _ in
            ChildCommand(shell: "echo $WPOOL_JOB_ID $WPOOL_ATTEMPT; echo no >&2; exit 3")
          })))
    #expect(try jobs.waitForAll() == .ok)
    try jobs.close()
    #expect(try SmallFile.read(run + "/jobs/say.1.out") == Array("say 1\n".utf8))
    #expect(try SmallFile.read(run + "/jobs/say.1.err") == Array("no\n".utf8))
    let lines = JournalLine.read(try SmallFile.read(run + "/run.jsonl"))
    let spawn = lines.first { $0["type"]?.text == "spawn" }
    #expect(spawn?["job"]?.text == "say" && spawn?["pid"]?.int ?? 0 > 0)
    #expect(try RunHistory(folder: run).job("say")?.reason == "exit")
  }

  // MARK: Resume

  /// Runs a, b after a, c after b; `failing` fails.
  private func run(
    failing: String = "", resume: String? = nil, definitions: [String: String] = [:],
    result: [UInt8] = [7, 0, 8]
  ) throws -> (ran: [String], folder: String, states: [JobState?], results: [[UInt8]?]) {
    let jobs = try makePool()
    if let resume { try jobs.resume(from: RunResume(resume)) }
    let folder = try record(jobs)
    let ran = Notes<String>()
    let made = [("a", []), ("b", ["a"]), ("c", ["b"])].map { id, after in
      callback(id, after: after, definition: definitions[id] ?? "1") { context in
        ran.add(id)
        context.result = result
        return id == failing ? JobOutcome(.error, -5) : .completed
      }
    }
    let handles = try jobs.submit(made)
    #expect(try jobs.waitForAll() == .ok)
    let states = handles.map { jobs.state($0) }
    let results = handles.map { jobs.result($0) }
    try jobs.close()
    return (ran.all, folder, states, results)
  }

  @Test("what a run has done is not done again, and has its result, also in the run after the next")
  func resume() throws {
    let first = try run(failing: "b")
    #expect(first.ran == ["a", "b"])
    #expect(first.states == [.completed, .failed, .cancelled])
    let second = try run(failing: "c", resume: first.folder, result: [1])
    #expect(second.ran == ["b", "c"])
    #expect(second.states == [.skipped, .completed, .failed])
    #expect(second.results == [[7, 0, 8], [1], [1]])
    let third = try run(resume: second.folder, result: [2])
    #expect(third.ran == ["c"])
    #expect(third.results == [[7, 0, 8], [1], [2]])
    #expect(try RunHistory(folder: third.folder).job("a")?.reason == "resumed")
  }

  @Test("a changed definition, a lost result and a lost output run again, with all that needs them")
  func changed() throws {
    let first = try run()
    #expect(try run(resume: first.folder, definitions: ["b": "2"]).ran == ["b", "c"])
    #expect(try run(resume: first.folder).ran == [])
    var bytes = try SmallFile.read(first.folder + "/jobs/a.1.result")
    bytes[0] ^= 1
    try RunFolder.replace(first.folder + "/jobs/a.1.result", with: bytes)
    #expect(try run(resume: first.folder).ran == ["a", "b", "c"])
  }

  @Test("a job is spared only while its outputs are there")
  func outputs() throws {
    let path = folder + "/made"
    func once(_ resume: String?) throws -> (Int, String) {
      let jobs = try makePool()
      if let resume { try jobs.resume(from: RunResume(resume)) }
      let run = try record(jobs)
      let count = Atomic<Int>(0)
      let job = callback("a") { _ in
        count.wrappingAdd(1, ordering: .relaxed)
        try? RunFolder.replace(path, with: [1])
        return .completed
      }
      job.outputs = [path]
      try jobs.submit(job)
      #expect(try jobs.waitForAll() == .ok)
      try jobs.close()
      return (count.load(ordering: .relaxed), run)
    }
    let (count, run) = try once(nil)
    #expect(count == 1)
    #expect(try once(run).0 == 0)
    #expect(wpl_file_remove(path) == 0)
    #expect(try once(run).0 == 1)
  }

  @Test("a run that is under way cannot be resumed, and one can be resumed by one pool at a time")
  func locked() throws {
    let jobs = try makePool()
    let running = try record(jobs)
    #expect(throws: WorkpoolError.self) { try RunResume(running) }
    try jobs.close()
    let other = try makePool()
    try other.resume(from: RunResume(running))
    #expect(throws: WorkpoolError.self) { try RunResume(running) }
    try other.close()
  }

  @Test("a journal that is cut never tells of a job that is not done")
  func cut() throws {
    let first = try run(failing: "c")
    let bytes = try SmallFile.read(first.folder + "/run.jsonl")
    for size in stride(from: 0, to: bytes.count, by: 13) {
      guard let history = try? RunHistory(Array(bytes[..<size]), path: "x") else { continue }
      for job in history.jobs where job.hasDoneWork {
        #expect(job.id != "c")
        let line = Array("\"job\":\"\(job.id)\"".utf8)
        #expect(bytes[..<size].split(separator: 10).contains { $0.contains(line) })
      }
    }
  }

  @Test("a record that cannot be written ends the run: nothing starts that is not on record")
  func unwritable() throws {
    let jobs = try makePool(slots: 1)
    var options = RecordOptions()
    options.sync = .none
    try jobs.record(to: folder + "/runs", options)
    let recorder = try #require(jobs.locked { jobs.recorder })
    let ran = Notes<String>()
    let made = (0..<5).map { number in
      callback("\(number)", after: number == 0 ? [] : ["\(number - 1)"]) { context in
        ran.add(context.id)
        if number == 1 { recorder.fail(WorkpoolError(.ioFailed, "the disk is full")) }
        return .completed
      }
    }
    try jobs.submit(made)
    #expect(throws: WorkpoolError.self) { try jobs.waitForAll() }
    #expect(ran.all == ["0", "1"])
    #expect(throws: WorkpoolError.self) { try jobs.submit(callback("late")) }
    #expect(jobs.find("2").flatMap { jobs.state($0) } == .cancelled)
    try jobs.close()
  }
}
