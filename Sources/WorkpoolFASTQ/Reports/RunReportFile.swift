// SPDX-License-Identifier: MIT

/// The file with what the steps of a run report: an object with an entry for each of them.
public struct RunReportFile: Sendable {
  public var path: String
  /// Entries before those of the steps: a key and JSON.
  public var head: [(key: String, json: String)]

  public init(path: String, head: [(key: String, json: String)] = []) {
    self.path = path
    self.head = head
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
    return json.text + "\n"
  }
}
