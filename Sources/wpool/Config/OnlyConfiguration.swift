// SPDX-License-Identifier: MIT
import Glibc
import Workpool

/// The only configuration of the current folder, for commands that were given none.
enum OnlyConfiguration {
  static func find() throws(Failure) -> String {
    var found: [String] = []
    guard let folder = opendir(".") else { throw .usage("the current folder cannot be read") }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".toml"), let text = try? ConfigurationText(path: name),
        ["input", "output"].allSatisfy({ wanted in
          text.root.contains { Spelling.isSame($0.key, wanted) }
        })
      {
        found.append(name)
      }
    }
    closedir(folder)
    guard found.count == 1 else {
      throw .usage(
        found.isEmpty
          ? "no input, and no configuration with [input] and [output] in this folder; see --help"
          : "no input, and several configurations in this folder: "
            + found.sorted().joined(separator: ", "))
    }
    Console.note("the configuration is \(found[0])")
    return found[0]
  }
}
