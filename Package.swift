// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

// The floors of Sources/README.md, lowest first. Two builds of the same sources:
//
//   swift build                                    ordinary Swift: the Swift package, its tests and the wpool tool
//   WORKPOOL_EMBEDDED=1 swift build …              Embedded Swift: libworkpool.so with the C interface (`make lib`)

let isEmbedded = Context.environment["WORKPOOL_EMBEDDED"] == "1"
// For `make fuzz`: everything with the coverage that libFuzzer looks at, and one program of targets.
let isFuzzed = Context.environment["WORKPOOL_FUZZ"] == "1"
let fuzzed: [CSetting] = isFuzzed ? [.unsafeFlags(["-fsanitize=fuzzer-no-link,address"])] : []

var floorSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableExperimentalFeature("Extern"),
]
if isEmbedded {
  floorSettings += [
    .enableExperimentalFeature("Embedded"),
    .unsafeFlags([
      "-wmo", "-Xfrontend", "-function-sections", "-enforce-exclusivity=unchecked",
      "-Xcc", "-fPIC",
    ]),
  ]
}
if isFuzzed {
  floorSettings += [
    .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library", "-enable-testing"])
  ]
}

let package = Package(
  name: "workpool",
  products: [
    .library(name: "Workpool", targets: ["Workpool"])
  ],
  targets: [
    .target(
      name: "CPlatform",
      cSettings: [.define("_GNU_SOURCE"), .define("WPL_SCHEDULES", .when(configuration: .debug))]
        + (isEmbedded ? [.define("WORKPOOL_EMBEDDED")] : []) + fuzzed,
      linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CWorkpool", path: "include"),

    .target(name: "WorkpoolCore", dependencies: ["CPlatform"], swiftSettings: floorSettings),
    .target(
      name: "WorkpoolPipeline", dependencies: ["CPlatform", "WorkpoolCore"],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolIO",
      dependencies: ["CPlatform", "CZlib", "CZstd", "WorkpoolCore", "WorkpoolPipeline"],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolFASTQ",
      dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolIO"],
      swiftSettings: floorSettings),
    .target(
      name: "Workpool",
      dependencies: ["WorkpoolCore", "WorkpoolPipeline", "WorkpoolIO", "WorkpoolFASTQ"],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolC",
      dependencies: ["CPlatform", "CWorkpool", "Workpool"],
      swiftSettings: floorSettings),
  ]
)

if !isEmbedded {
  package.dependencies += [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ]
  package.products += [.executable(name: "wpool", targets: ["wpool"])]
  package.targets += [
    .executableTarget(
      name: "wpool",
      dependencies: [
        "CPlatform", "Workpool", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolIO", "WorkpoolFASTQ",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolTestSupport", dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolPipeline"],
      path: "Tests/WorkpoolTestSupport", swiftSettings: floorSettings),
    .testTarget(
      name: "WorkpoolCoreTests",
      dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolTestSupport"],
      swiftSettings: floorSettings),
    .testTarget(
      name: "WorkpoolPipelineTests",
      dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolTestSupport"],
      swiftSettings: floorSettings),
    .testTarget(
      name: "WorkpoolIOTests",
      dependencies: ["CPlatform", "CZlib", "CZstd", "WorkpoolCore", "WorkpoolIO"],
      swiftSettings: floorSettings),
    .testTarget(
      name: "WorkpoolFASTQTests", dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolFASTQ"],
      swiftSettings: floorSettings),
  ]
}

if isFuzzed {
  package.products = [.executable(name: "workpool-fuzz", targets: ["workpool-fuzz"])]
  package.targets.append(
    .executableTarget(
      name: "workpool-fuzz", dependencies: ["WorkpoolCore", "WorkpoolIO", "WorkpoolFASTQ"],
      path: "Tests/Fuzz", exclude: ["corpus", "Makefile", "make_corpus.py"],
      swiftSettings: floorSettings,
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]))
}

if isEmbedded {
  #if arch(arm64)
    let machine = "aarch64"
  #else
    let machine = "x86_64"
  #endif
  let resources = Context.environment["WORKPOOL_SWIFT_RESOURCES"] ?? "/usr/lib/swift"
  package.products = [
    .library(name: "workpool", type: .dynamic, targets: ["WorkpoolC"])
  ]
  package.targets.first { $0.name == "WorkpoolC" }!.linkerSettings = [
    .unsafeFlags([
      "-Xlinker", "-soname=libworkpool.so.0",
      "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/libworkpool.map",
      "-Xlinker", "-znodelete", "-Xlinker", "-zdefs", "-Xlinker", "--gc-sections",
      "-Xlinker", "--as-needed",
      "\(resources)/embedded/\(machine)-unknown-linux-gnu/libswiftUnicodeDataTables.a",
    ])
  ]
}
