// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

// Outside this tree: .package(url: "…", from: "…") in place of the path.
let package = Package(
  name: "workpool-examples",
  dependencies: [.package(name: "workpool", path: "../..")],
  targets: ["1_pool", "2_ordered", "3_stop", "4_errors", "5_fastq", "6_split"].map { name in
    .executableTarget(
      name: name, dependencies: [.product(name: "Workpool", package: "workpool")])
  }
)
