// SPDX-License-Identifier: MIT

/// What goes between this process and a worker: frames of a 32-bit little-endian length and so many
/// bytes of JSON, at most 16 MiB.
enum WorkerMessages {
  static let mostBytes = 16 << 20
  /// The version of the protocol that workers name.
  static let version = 1

  enum Message {
    case ready
    case progress(BatchScheduler.Report)
    case log(item: Int, BatchRun.Line)
    case complete(batch: Int)
    case heartbeat
    case error(String, BatchErrorClass)
  }

  // MARK: To the worker

  /// `{"type":"batch","id":3,"items":[{"index":7,"attempt":1,"item":…},…]}`
  static func batch(
    _ id: Int, _ items: [(index: Int, attempt: Int32)], json: (Int) -> ArraySlice<UInt8>
  ) -> [UInt8] {
    var text = frameStart
    put("{\"type\":\"batch\",\"id\":\(id),\"items\":[", &text)
    for (place, item) in items.enumerated() {
      put(
        "\(place > 0 ? "," : ""){\"index\":\(item.index),\"attempt\":\(item.attempt),\"item\":",
        &text)
      text.append(contentsOf: json(item.index))
      put("}", &text)
    }
    put("]}", &text)
    return finished(text)
  }

  static var shutdown: [UInt8] {
    var text = frameStart
    put("{\"type\":\"shutdown\"}", &text)
    return finished(text)
  }

  private static var frameStart: [UInt8] { [0, 0, 0, 0] }
  private static func finished(_ frame: [UInt8]) -> [UInt8] {
    var frame = frame
    let size = UInt32(truncatingIfNeeded: frame.count - 4)
    for index in 0..<4 { frame[index] = UInt8(truncatingIfNeeded: size >> UInt32(8 * index)) }
    return frame
  }
  private static func put(_ text: String, _ bytes: inout [UInt8]) {
    bytes.append(contentsOf: text.utf8)
  }

  // MARK: From the worker

  /// nil: it is none, or of a type that nobody knows.
  static func read(_ bytes: [UInt8], in range: Range<Int>) -> Message? {
    guard let value = try? JSONParser.parse(bytes, in: range) else { return nil }
    switch value["type"]?.text {
    case "ready": return value["proto"]?.int ?? version == version ? .ready : nil
    case "heartbeat": return .heartbeat
    case "complete":
      guard let batch = value["batch"]?.int else { return nil }
      return .complete(batch: batch)
    case "error":
      return .error(text(of: value), errorClass(of: value) ?? .worker)
    case "progress":
      guard let item = value["item"]?.int, let status = status(value["status"]?.text) else {
        return nil
      }
      var report = BatchScheduler.Report(item: item, status: status)
      report.phase = value["phase"]?.text ?? ""
      report.isFromCache = value["from_cache"]?.bool ?? false
      report.error = text(of: value)
      report.errorClass = errorClass(of: value) ?? .item
      if value["data"] != nil, let data = JSONPlaces.member("data", in: bytes, range) {
        report.data = Array(bytes[data])
      }
      return .progress(report)
    case "log":
      guard let item = value["item"]?.int, let text = value["text"]?.text else { return nil }
      var line = BatchRun.Line(level(value["level"]?.text), value["phase"]?.text ?? "", text)
      line.data = value["data"]
      return .log(item: item, line)
    default: return nil
    }
  }

  private static func level(_ name: String?) -> JobLogLevel {
    switch name {
    case "debug": .debug
    case "warning": .warning
    case "error": .error
    default: .info
    }
  }

  private static func status(_ name: String?) -> BatchScheduler.Report.Status? {
    switch name {
    case "started": .started
    case "ok": .ok
    case "failed": .failed
    case "skipped": .skipped
    default: nil
    }
  }

  /// `"error": "what"`, or `"error": {"class": "transient", "text": "what"}`.
  private static func text(of value: JSONValue) -> String {
    let text = value["error"]?.text ?? value["error"]?["text"]?.text ?? value["text"]?.text ?? ""
    return text.utf8.count <= JobOutcome.textSize
      ? text : String(decoding: text.utf8.prefix(JobOutcome.textSize), as: UTF8.self)
  }

  private static func errorClass(of value: JSONValue) -> BatchErrorClass? {
    switch value["error"]?["class"]?.text ?? value["class"]?.text {
    case "transient": .transient
    case "item": .item
    case "worker": .worker
    case "fatal": .fatal
    default: nil
    }
  }
}

/// Finds parts of a JSON text that is known to be sound, as they stand there: numbers keep all digits.
enum JSONPlaces {
  /// The value of the first member of this name; the text is an object.
  static func member(_ name: StaticString, in bytes: [UInt8], _ range: Range<Int>) -> Range<Int>? {
    var index = skipBlanks(bytes, range.lowerBound) + 1
    while index < range.upperBound {
      index = skipBlanks(bytes, index)
      guard index < range.upperBound, bytes[index] == UInt8(ascii: "\"") else { return nil }
      let key = index + 1..<skip(bytes, index) - 1
      let start = skipBlanks(bytes, skipBlanks(bytes, key.upperBound + 1) + 1)
      let end = skip(bytes, start)
      if isEqual(bytes, key, name) { return start..<end }
      index = skipBlanks(bytes, end) + 1
    }
    return nil
  }

  private static func isEqual(
    _ bytes: [UInt8], _ range: Range<Int>, _ name: StaticString
  ) -> Bool {
    guard range.count == name.utf8CodeUnitCount else { return false }
    for offset in 0..<range.count
    where bytes[range.lowerBound + offset] != name.utf8Start[offset] {
      return false
    }
    return true
  }

  private static func skipBlanks(_ bytes: [UInt8], _ index: Int) -> Int {
    var index = index
    while index < bytes.count, bytes[index] <= 32 { index += 1 }
    return index
  }

  /// The end of the value that begins at `index`.
  private static func skip(_ bytes: [UInt8], _ index: Int) -> Int {
    var index = index
    var depth = 0
    var isInString = false
    while index < bytes.count {
      let byte = bytes[index]
      if isInString {
        if byte == UInt8(ascii: "\\") {
          index += 1
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
          if depth == 0 { return index + 1 }
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if depth == 0 { return index }
          depth -= 1
          if depth == 0 { return index + 1 }
        case UInt8(ascii: ","), 0...32: if depth == 0 { return index }
        default: break
        }
      }
      index += 1
    }
    return index
  }
}
