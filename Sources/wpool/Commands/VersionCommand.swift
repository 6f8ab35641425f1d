// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the version and the codecs built in.")

  static let number = "0.1.0"

  static var text: String {
    let codecs = CodecLibrary.builtIn.map { $0.name + " " + $0.version }
    return "wpool " + number + "\ncodecs: " + codecs.joined(separator: ", ")
  }

  func run() throws {
    throw Console.write(Self.text + "\n")
  }
}
