// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

/// One after the other: some change what holds for the whole process.
@Suite(.serialized) struct ChildProcessTests {
  /// A folder that goes with the test.
  private final class Folder {
    let path: String
    init() {
      var template = Array("/tmp/wpool-child-XXXXXX".utf8CString)
      path = String(cString: mkdtemp(&template))
    }
    deinit {
      for name in names { unlink(path + "/" + name) }
      rmdir(path)
    }
    var names: [String] {
      guard let folder = opendir(path) else { return [] }
      defer { closedir(folder) }
      var names: [String] = []
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
      }
      return names
    }
    func text(_ name: String) -> String {
      guard let file = fopen(path + "/" + name, "r") else { return "" }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 65536)
      return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }
  }

  private let folder = Folder()

  private func command(_ line: String) -> ChildCommand {
    var command = ChildCommand(shell: line)
    command.folder = folder.path
    command.output = .file(folder.path + "/out")
    command.errors = .file(folder.path + "/err")
    return command
  }

  /// Polls as a runner does.
  private func end(_ child: ChildProcess) -> ChildEnd {
    while true {
      if let end = child.advance(now: wpl_now()) { return end }
      let wait = child.due.map { max(0, ($0 - wpl_now() + 999_999) / 1_000_000) } ?? -1
      if child.descriptor >= 0 {
        _ = wpl_file_wait_input(child.descriptor, Int32(wait))
      } else {
        wpl_sleep(wait * 1_000_000)
      }
    }
  }

  private func run(_ line: String) throws -> ChildEnd { end(try ChildProcess(command(line))) }

  /// Waits until the child has written a line to `out`.
  private func awaitLine(_ name: String = "out") {
    while !folder.text(name).contains("\n") { wpl_yield() }
  }

  @Test("exit codes and signals are told apart")
  func exits() throws {
    for code: Int32 in [0, 1, 3, 126, 255] {
      let end = try run("exit \(code)")
      #expect(end.exitCode == code && end.signal == nil && !end.wasStopped && end.signals.isEmpty)
    }
    for number in [SIGKILL, SIGSEGV, SIGTERM] {
      let end = try run("kill -\(number) $$")
      #expect(end.signal == number && end.exitCode == nil)
    }
  }

  @Test("output, errors, input, folder and environment are those asked for")
  func surroundings() throws {
    var command = command("cat; pwd; echo \"$WORD\" >&2; echo $#")
    command.arguments += ["zero", "one", "two words"]
    command.environment = ["WORD=a b", "PATH=/usr/bin:/bin"]
    let first = end(try ChildProcess(command))
    #expect(first.exitCode == 0)
    #expect(folder.text("out") == folder.path + "\n2\n" && folder.text("err") == "a b\n")

    let file = try #require(fopen(folder.path + "/in", "w"))
    fputs("given\n", file)
    fclose(file)
    command.input = folder.path + "/in"
    command.errors = .sameAsOutput
    #expect(end(try ChildProcess(command)).exitCode == 0)
    #expect(folder.text("out") == "given\n" + folder.path + "\na b\n2\n")
  }

  @Test("a child has its own group, default signals, and no descriptor of this process")
  func isolation() throws {
    let kept = open("/dev/null", O_RDONLY)  // not close-on-exec
    defer { close(kept) }
    signal(SIGUSR1, SIG_IGN)
    var blocked = sigset_t()
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGUSR2)
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
    let child = try ChildProcess(
      command(
        "set -- $(cat /proc/self/stat); echo $5; ls /proc/self/fd | wc -l; "
          + "while read name value; do case $name in Sig[BI]*) "
          // glibc ignores 32 and 33, which are its own, in what it spawns.
          + "echo $name $((0x$value & 0x7fffffff));; esac; done < /proc/self/status"))
    signal(SIGUSR1, SIG_DFL)
    pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
    let id = child.id
    #expect(child.startTicks > 0)
    #expect(end(child).exitCode == 0)
    // 0, 1, 2, and that of the folder that ls reads.
    #expect(
      folder.text("out")
        == "\(id)\n4\nSigBlk: 0\nSigIgn: 0\n")
  }

  @Test("what cannot be started says why")
  func spawnErrors() throws {
    func failure(_ command: ChildCommand) -> Int32? {
      do throws(WorkpoolError) {
        _ = end(try ChildProcess(command))
        return nil
      } catch {
        return error.systemError
      }
    }
    #expect(failure(ChildCommand(["/no/such/program"])) == ENOENT)
    #expect(failure(ChildCommand(["no-such-program-anywhere"])) == ENOENT)
    #expect(failure(ChildCommand(["/etc/passwd"])) == EACCES)
    let script = folder.path + "/script"
    let file = try #require(fopen(script, "w"))
    fputs("no program at all\n", file)
    fclose(file)
    chmod(script, 0o755)
    #expect(failure(ChildCommand([script])) == ENOEXEC)
    var command = ChildCommand(["true"])
    command.folder = "/no/such/folder"
    #expect(failure(command) == ENOENT)
    command.folder = nil
    command.input = "/no/such/file"
    #expect(failure(command) == ENOENT)
    command.input = nil
    command.output = .file("/no/such/folder/out")
    #expect(failure(command) == ENOENT)
    #expect(failure(ChildCommand([])) == 0)
  }

  @Test("a host that ignores SIGCHLD is told")
  func ignoredSigchld() async {
    // Others have children whose end they want to see.
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      do throws(WorkpoolError) {
        _ = try ChildProcess(ChildCommand(["true"]))
        Issue.record("it started")
      } catch {
        #expect(error.status == .unsupported && error.message.contains("SIGCHLD"))
      }
    }
  }

  @Test("stop sends SIGTERM, which the child may obey", arguments: [false, true])
  func stop(withoutPidfds: Bool) throws {
    wpl_process_hide_pidfds(withoutPidfds ? 1 : 0)
    defer { wpl_process_hide_pidfds(0) }
    let child = try ChildProcess(
      command("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"))
    awaitLine()
    #expect(child.stop(now: wpl_now()) && child.stop(now: wpl_now()))
    let end = end(child)
    #expect(end.wasStopped && end.exitCode == 7 && end.signals.map(\.number) == [SIGTERM])
    #expect(folder.text("out") == "ready\nbye\n")
    #expect(!child.stop(now: wpl_now()) && !child.kill(now: wpl_now()))
  }

  @Test("SIGKILL follows to the whole group when the grace is over")
  func escalation() throws {
    var deaf = command("trap '' TERM; sleep 1000 & echo ready; wait; wait")
    deaf.killGrace = 30_000_000
    let child = try ChildProcess(deaf)
    awaitLine()
    let members = living(child.id)
    #expect(members.count == 1)
    #expect(child.stop(now: wpl_now()))
    let end = end(child)
    #expect(end.signal == SIGKILL && end.signals.map(\.number) == [SIGTERM, SIGKILL])
    #expect(end.remaining.isEmpty && members.allSatisfy { wpl_process_start_ticks($0) == 0 })
  }

  @Test("a child that is stopped by SIGSTOP still obeys")
  func suspended() throws {
    let child = try ChildProcess(command("echo ready; kill -STOP $$; sleep 1000"))
    awaitLine()
    #expect(child.stop(now: wpl_now()))
    #expect(end(child).signal == SIGTERM)
  }

  @Test(
    "members that a child leaves behind are killed, and it counts as it ended itself",
    arguments: [false, true])
  func leftovers(withoutPidfds: Bool) throws {
    wpl_process_hide_pidfds(withoutPidfds ? 1 : 0)
    defer { wpl_process_hide_pidfds(0) }
    // One obeys, one does not; both keep the log open.
    let end = try run(
      "sleep 1000 & (trap '' TERM; echo ready; while :; do sleep 0.01; done) & "
        + "while ! grep -q ready out; do :; done; exit 4")
    #expect(end.exitCode == 4 && !end.wasStopped && end.leftovers.count >= 2)
    #expect(end.signals.map(\.number) == [SIGTERM, SIGKILL] && end.remaining.isEmpty)
    #expect(end.leftovers.allSatisfy { wpl_process_start_ticks($0) == 0 })
  }

  @Test("members may be left alone")
  func leave() throws {
    for rule in [LeftoverRule.warn, .leave] {
      var command = command("sleep 1000 & exit 0")
      command.leftovers = rule
      let end = end(try ChildProcess(command))
      #expect(end.exitCode == 0 && end.remaining.count == 1 && end.signals.isEmpty)
      #expect(end.remaining == end.leftovers)
      for process in end.remaining {
        #expect(wpl_process_start_ticks(process) > 0)
        kill(process, SIGKILL)
      }
    }
  }

  @Test("dead members that nobody reaps are none")
  func deadMembers() throws {
    // The shell becomes `sleep`, which never reaps its child; both go by one signal.
    let child = try ChildProcess(command("(echo ready) & exec sleep 1000"))
    awaitLine()
    while !living(child.id).isEmpty { wpl_yield() }
    kill(child.id, SIGKILL)
    let end = end(child)
    #expect(end.signal == SIGKILL && end.leftovers.isEmpty && end.signals.isEmpty)
  }

  @Test("an end before the stop is how it ended")
  func race() throws {
    let child = try ChildProcess(command("exit 5"))
    while wpl_file_wait_input(child.descriptor, -1) <= 0 {}
    #expect(!child.stop(now: wpl_now()) && !child.kill(now: wpl_now()))
    let end = end(child)
    #expect(end.exitCode == 5 && !end.wasStopped)
  }

  @Test("a child that somebody else reaped is lost, not waited for")
  func lost() throws {
    let child = try ChildProcess(command("exit 5"))
    while wpl_file_wait_input(child.descriptor, -1) <= 0 {}
    waitpid(child.id, nil, 0)
    #expect(end(child).isLost)
  }

  @Test("processor time and memory are counted")
  func usage() throws {
    let end = try run("i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done")
    #expect(end.userTime + end.systemTime > 0 && end.peakMemory > 100_000)
  }

  @Test("an object that goes away takes its processes along")
  func abandoned() throws {
    var child: ChildProcess? = try ChildProcess(command("sleep 1000 & echo ready; sleep 1000"))
    awaitLine()
    let id = try #require(child?.id)
    #expect(!living(id).isEmpty)
    child = nil
    while !living(id).isEmpty { wpl_yield() }
    #expect(wpl_process_start_ticks(id) == 0)
  }

  @Test("processes that left the group come back to a subreaper")
  func adopted() async {
    // It asks about all children, and reaps what it does not know.
    await #expect(processExitsWith: .success) { try ChildProcessTests().adoptOrphan() }
  }

  private func adoptOrphan() throws {
    #expect(wpl_process_adopts_orphans() == 0)
    let child = try ChildProcess(command("MARK=here setsid sh -c 'echo ready; sleep 1000' & wait"))
    awaitLine()
    kill(child.id, SIGKILL)
    #expect(end(child).leftovers.isEmpty)
    let orphans = children()
    #expect(orphans.count == 1)
    let orphan = try #require(orphans.first)
    var text = [CChar](repeating: 0, count: 16)
    #expect(wpl_process_variable(orphan, "MARK", &text, 16) == 4)
    #expect(wpl_process_variable(orphan, "MAR", &text, 16) == -Int64(ENOENT))
    #expect(wpl_process_signal_group(orphan, SIGKILL) == 0)
    while !children().isEmpty { wpl_yield() }
    wpl_process_reap_adopted(nil, 0)
    #expect(waitpid(-1, nil, WNOHANG) == -1)
  }

  @Test("many children leave no descriptor behind", arguments: [false, true])
  func descriptors(withoutPidfds: Bool) async {
    // Nobody else opens and closes files there.
    await #expect(processExitsWith: .success) { [withoutPidfds] in
      try ChildProcessTests().countDescriptors(withoutPidfds)
    }
  }

  private func countDescriptors(_ withoutPidfds: Bool) throws {
    wpl_process_hide_pidfds(withoutPidfds ? 1 : 0)
    _ = try run("exit 0")
    let before = openDescriptors()
    for _ in 0..<20 { _ = try run("exit 0") }
    #expect(openDescriptors() == before)
  }

  private func living(_ group: Int32) -> [Int32] {
    var room = [Int32](repeating: 0, count: 64)
    let count = wpl_process_members(group, &room, 64)
    return Array(room[..<Int(max(count, 0))])
  }

  private func children() -> [Int32] {
    var room = [Int32](repeating: 0, count: 64)
    let count = wpl_process_children(&room, 64)
    return Array(room[..<Int(max(count, 0))])
  }

  private func openDescriptors() -> Int {
    (0..<Int32(1024)).count { fcntl($0, F_GETFD) >= 0 }
  }
}
