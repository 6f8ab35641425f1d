// SPDX-License-Identifier: MIT

/// The file with what the steps of a run report: an object with an entry for each of them.
public struct RunReportFile: Sendable {
  public var path: String
  /// Entries before those of the steps: a key and JSON.
  public var head: [(key: String, json: String)]

  /// What surrounds the JSON in a page that shows it; nil: nothing.
  public var page: (before: String, after: String)?

  public init(
    path: String, head: [(key: String, json: String)] = [],
    page: (before: String, after: String)? = nil
  ) {
    self.path = path
    self.head = head
    self.page = page
  }

  func text(_ reports: [StepReport]) -> String {
    var json = JSONText()
    json.beginObject()
    for entry in head {
      json.key(entry.key)
      json.raw(entry.json)
    }
    for report in reports {
      json.key(report.name)
      json.raw(report.json)
    }
    json.key("report_order")
    json.beginArray()
    for report in reports { json.value(report.name) }
    json.endArray()
    json.endObject()
    guard let page else { return json.text + "\n" }
    // Nothing in it may end the element of the page that it stands in.
    var bytes: [UInt8] = []
    for byte in json.text.utf8 {
      if byte == UInt8(ascii: "<") { bytes += Array("\\u003c".utf8) } else { bytes.append(byte) }
    }
    return page.before + String(decoding: bytes, as: UTF8.self) + "\n" + page.after
  }
}
