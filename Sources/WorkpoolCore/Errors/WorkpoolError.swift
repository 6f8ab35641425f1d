// SPDX-License-Identifier: MIT
import CPlatform

/// What went wrong, and where as far as it is known.
public struct WorkpoolError: Error, Sendable {
  public var status: Status
  /// One sentence without a full stop, such as `quality is shorter than sequence`.
  public var message: String
  /// The file, or `standard input`; nil where no file is concerned.
  public var path: String?
  /// Further places from coarse to fine, such as `member 3`, `record 118 (byte 20411, line 472)`.
  public var place: String?
  /// `errno` where the operating system refused, else 0.
  public var systemError: Int32

  public init(
    _ status: Status, _ message: String, path: String? = nil, place: String? = nil,
    systemError: Int32 = 0
  ) {
    self.status = status
    self.message = message
    self.path = path
    self.place = place
    self.systemError = systemError
  }

  /// `reads.fq.gz: record 118 (byte 20411): quality is shorter than sequence`
  public var text: String {
    var text = ""
    if let path { text += path + ": " }
    if let place { text += place + ": " }
    text += message
    if systemError != 0 { text += ": " + String(cString: strerror(systemError)) }
    return text
  }
}
