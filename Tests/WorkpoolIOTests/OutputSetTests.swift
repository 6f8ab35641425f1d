// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct OutputSetTests {
  let folder = TemporaryFolder()

  private func plan(
    _ names: [String], inputs: [Endpoint] = [], prefix: String? = nil,
    _ change: (inout OutputSet.Options) -> Void = { _ in }
  ) throws(WorkpoolError) -> OutputSet {
    var options = OutputSet.Options()
    change(&options)
    let outputs = names.map { OutputSet.Output(.path(folder[$0]), owner: "writer of \($0)") }
    return try OutputSet(
      outputs, inputs: inputs, prefix: prefix.map { folder[$0] }, options: options)
  }

  private func status(_ body: () throws -> Void) -> Status? {
    do { try body() } catch { return (error as? WorkpoolError)?.status }
    return nil
  }

  private func fill(_ set: OutputSet, _ count: Int, text: String = "new") throws {
    for index in 0..<count {
      try Bytes(text.utf8).withBytes { (bytes) throws(WorkpoolError) in
        try set.sink(index).write(bytes)
      }
      try set.sink(index).close()
    }
  }

  private let pid = getpid()
  private func part(_ name: String) -> String { ".\(name).wpool-\(pid).part" }

  @Test("outputs appear together at the end; meanwhile there are parts and the marker")
  func commit() throws {
    let set = try plan(["a", "b.gz"], prefix: "run") { $0.syncs = true }
    #expect(folder.names == [])
    try set.open()
    #expect(folder.names == [part("a"), part("b.gz"), "run.incompleted"].sorted())
    #expect(folder.read("run.incompleted") == Bytes("run incomplete\n".utf8))
    try fill(set, 2)
    #expect(folder.read("a") == nil)
    try set.commit()
    #expect(folder.names == ["a", "b.gz"])
    #expect(folder.read("b.gz") == Bytes("new".utf8))
    set.abandon()
    #expect(folder.names == ["a", "b.gz"])
  }

  @Test("an output takes over permissions and times, and is private until then")
  func attributes() throws {
    let model = folder.write("model", Bytes())
    #expect(chmod(model, 0o640) == 0)
    let times = [timespec(tv_sec: 1_000_000, tv_nsec: 5), timespec(tv_sec: 2_000_000, tv_nsec: 7)]
    #expect(utimensat(AT_FDCWD, model, times, 0) == 0)
    let set = try plan(["a"]) { $0.attributes = FileAttributes(path: model) }
    try set.open()
    var info = stat()
    #expect(stat(folder[part("a")], &info) == 0 && info.st_mode & 0o777 == 0o600)
    try fill(set, 1)
    try set.commit()
    #expect(stat(folder["a"], &info) == 0 && info.st_mode & 0o777 == 0o640)
    #expect(info.st_mtim.tv_sec == 2_000_000 && info.st_mtim.tv_nsec == 7)
    #expect(info.st_atim.tv_sec == 1_000_000)
    #expect(FileAttributes(path: folder["none"]) == nil)
  }

  @Test("the marker is named after the first regular output where there is no prefix")
  func markerName() throws {
    let set = try OutputSet(
      [.init(.standardOutput), .init(.path(folder["a"])), .init(.path(folder["b"]))], inputs: [])
    #expect(set.marker == folder["a"] + ".incompleted")
    #expect(try OutputSet([.init(.standardOutput)], inputs: []).marker == nil)
  }

  @Test("after a failure the parts are gone and the marker stays, which admits the next run")
  func abandon() throws {
    folder.write("b", Bytes("old".utf8))
    #expect(status { _ = try plan(["a", "b"]) } == .outputExists)
    let first = try plan(["a", "b"]) { $0.allowsOverwrite = true }
    try first.open()
    first.abandon()
    #expect(folder.names == ["a.incompleted", "b"])
    #expect(folder.read("b") == Bytes("old".utf8))
    let second = try plan(["a", "b"])
    try second.open()
    try fill(second, 2)
    try second.commit()
    #expect(folder.names == ["a", "b"])
    #expect(folder.read("b") == Bytes("new".utf8))
  }

  @Test("a set that is forgotten is abandoned")
  func forgotten() throws {
    do { try plan(["a"]).open() }
    #expect(folder.names == ["a.incompleted"])
  }

  @Test("parts stay where that was asked for")
  func keepsPartial() throws {
    let set = try plan(["a"]) { $0.keepsPartial = true }
    try set.open()
    set.abandon()
    #expect(folder.names == [part("a"), "a.incompleted"])
  }

  @Test("a set whose outputs are not all closed is not committed")
  func unfinished() throws {
    let set = try plan(["a", "b"])
    try set.open()
    try set.sink(0).close()
    #expect(status { try set.commit() } == .invalidState)
    try set.sink(1).close()
    try set.commit()
    #expect(folder.names == ["a", "b"])
  }

  @Test("an existing file is refused before anything is written, a link that leads nowhere too")
  func existing() throws {
    folder.write("a", [1])
    symlink("nowhere", folder["link"])
    for name in ["a", "link"] {
      #expect(status { _ = try plan(["new", name]) } == .outputExists)
    }
    mkdir(folder["folder"], 0o700)
    #expect(status { _ = try plan(["folder"]) { $0.allowsOverwrite = true } } == .ioFailed)
    #expect(status { _ = try plan(["missing/"]) } == .ioFailed)
    #expect(folder.names == ["a", "folder", "link"])
  }

  @Test("a file that appears during the run is not replaced")
  func appeared() throws {
    let set = try plan(["a", "b"])
    try set.open()
    try fill(set, 2)
    folder.write("b", Bytes("other".utf8))
    #expect(status { try set.commit() } == .outputExists)
    #expect(folder.names == ["a", "a.incompleted", "b"])
    #expect(folder.read("b") == Bytes("other".utf8))
  }

  @Test("two outputs of one name are refused with both owners, however the name is written")
  func sameName() throws {
    mkdir(folder["sub"], 0o700)
    symlink("sub", folder["alias"])
    for (one, two) in [("a", "a"), ("a", "./a"), ("sub/x", "alias/x"), ("new/x", "new/x")] {
      do {
        _ = try plan([one, two])
        Issue.record("\(one) and \(two) are one file")
      } catch {
        #expect(error.status == .invalidArgument)
        #expect(error.text.contains("writer of \(one) and by writer of \(two)"))
      }
    }
    #expect(status { _ = try plan(["run.incompleted"], prefix: "run") } == .invalidArgument)
    #expect(status { _ = try plan(["a", "b"]) } == nil)
  }

  @Test("an output that is an input is refused whatever the options, by any of its names")
  func inputIsOutput() throws {
    let input = folder.write("in.fq", [64])
    symlink("in.fq", folder["link"])
    link(input, folder["hard"])
    let fifo = folder.makeFIFO("fifo")
    folder.write("run.incompleted", Bytes("old".utf8))
    let descriptor = Foundation.open(input, O_RDONLY)
    defer { close(descriptor) }
    for endpoint in [
      Endpoint.path(input), .path(folder["link"]), .descriptor(descriptor, name: "stdin"),
    ] {
      for name in [
        "in.fq", "link", "hard", "../\((folder.path as NSString).lastPathComponent)/in.fq",
      ] {
        #expect(
          status { _ = try plan([name], inputs: [endpoint]) { $0.allowsOverwrite = true } }
            == .invalidArgument, "\(name)")
      }
    }
    #expect(status { _ = try plan(["fifo"], inputs: [.path(fifo)]) } == .invalidArgument)
    #expect(
      status { _ = try plan(["x"], inputs: [.path(folder["run.incompleted"])], prefix: "run") }
        == .invalidArgument)
    #expect(folder.read("in.fq") == [64])
    // A null device may be read and written at once.
    _ = try OutputSet([.init(.path("/dev/null"))], inputs: [.path("/dev/null")])
  }

  @Test("a redirected standard output that is the input is refused")
  func redirected() throws {
    let input = folder.write("in.fq", [64])
    let descriptor = Foundation.open(input, O_WRONLY | O_APPEND)
    defer { close(descriptor) }
    for output in [
      Endpoint.descriptor(descriptor, name: "standard output"), .path("/dev/fd/\(descriptor)"),
    ] {
      #expect(
        status { _ = try OutputSet([.init(output)], inputs: [.path(input)]) } == .invalidArgument)
    }
  }

  @Test("replacing a link leaves alone what it leads to")
  func replacedLink() throws {
    folder.write("target", [1])
    symlink("target", folder["a"])
    let set = try plan(["a"]) { $0.allowsOverwrite = true }
    try set.open()
    try fill(set, 1)
    try set.commit()
    #expect(folder.read("target") == [1])
    #expect(folder.read("a") == Bytes("new".utf8))
  }

  @Test("a FIFO is written directly once somebody reads it")
  func fifo() throws {
    let fifo = folder.makeFIFO("fifo")
    let reader = Foundation.open(fifo, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let set = try plan(["fifo"])
    #expect(set.marker == nil)
    try set.open()
    try fill(set, 1)
    try set.commit()
    var bytes = Bytes(repeating: 0, count: 10)
    #expect(Foundation.read(reader, &bytes, 10) == 3)
    #expect(folder.names == ["fifo"])
  }

  @Test("waiting for a FIFO's reader ends when it is cancelled, and leaves nothing behind")
  func cancelledFIFO() throws {
    _ = folder.makeFIFO("fifo")
    let set = try plan(["a", "fifo"])
    var asked = 0
    #expect(
      status {
        try set.open {
          asked += 1
          return asked == 2
        }
      } == .cancelled)
    #expect(folder.names == ["fifo"])
  }

  @Test("a run that cannot begin leaves things as they were")
  func cannotBegin() throws {
    let set = try plan(["a", "missing/b"])
    #expect(status { try set.open() } == .ioFailed)
    #expect(folder.names == [])
    folder.write("a.incompleted", Bytes("run incomplete\n".utf8))
    let other = try plan(["a", "missing/b"])
    #expect(status { try other.open() } == .ioFailed)
    #expect(folder.names == ["a.incompleted"])
  }

  @Test("missing folders of a prefix are created")
  func folders() throws {
    let set = try plan(["x/y/run_a"], prefix: "x/y/run")
    try set.open()
    try fill(set, 1)
    try set.commit()
    #expect(folder.read("x/y/run_a") == Bytes("new".utf8))
  }

  @Test("two runs do not write the same outputs at once")
  func concurrent() throws {
    let first = try plan(["a"])
    try first.open()
    let second = try plan(["a"]) { $0.allowsOverwrite = true }
    #expect(status { try second.open() } == .busy)
    try fill(first, 1)
    try first.commit()
    #expect(folder.names == ["a"])
    // Its marker made the third run believe that the outputs are rubbish; now they are not.
    folder.write("b.incompleted", [1])
    folder.write("b", Bytes("good".utf8))
    let third = try plan(["b"])
    try FileManager.default.removeItem(atPath: folder["b.incompleted"])
    #expect(status { try third.open() } == .outputExists)
    #expect(folder.names == ["a", "b"])
  }

  @Test("parts of dead processes that belong to the same names are removed, others are not")
  func deadParts() throws {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/bin/true")
    try child.run()
    child.waitUntilExit()
    let dead = child.processIdentifier
    let kept = [
      ".a.wpool-1.part", ".b.wpool-\(dead).part", ".a.wpool-\(dead).part.x", ".a.wpool-x.part",
    ]
    for name in kept + [".a.wpool-\(dead).part", part("a")] { folder.write(name, [1]) }
    let input = folder.write(".c.wpool-\(dead).part", [64])
    let held = Foundation.open(folder.write(".d.wpool-\(dead).part", [1]), O_RDONLY)
    #expect(flock(held, LOCK_EX) == 0)
    defer { close(held) }
    let set = try plan(["a", "c", "d"], inputs: [.path(input)])
    try set.open()
    try fill(set, 3)
    try set.commit()
    let left = kept + ["a", "c", "d", ".c.wpool-\(dead).part", ".d.wpool-\(dead).part"]
    #expect(folder.names == left.sorted())
  }

  @Test("writers write into a set")
  func writers() throws {
    let set = try plan(["a.gz"])
    try set.open()
    let writer = try CompressedWriter(set.sink(0), compression: Compression(path: "a.gz"))
    try records(0..<10).withBytes { (bytes) throws(WorkpoolError) in try writer.write(bytes) }
    _ = try writer.finish()
    try set.commit()
    #expect(readAll(folder["a.gz"]).bytes == records(0..<10))
  }
}
