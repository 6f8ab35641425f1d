// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

// The floors of Sources/README.md, lowest first. Two builds of the same sources:
//
//   swift build                                    ordinary Swift: the Swift package, its tests and the wpool tool
//   WORKPOOL_EMBEDDED=1 swift build …              Embedded Swift: libworkpool.so with the C interface (`make lib`)
//
// zlib, zstd and Nettle are always in. Faster codecs are traits, `--traits Libdeflate,ISAL`; `make` asks
// pkg-config which of them are there.

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
  traits: [
    .trait(name: "Libdeflate", description: "Pack and unpack whole gzip blocks with libdeflate."),
    .trait(name: "ISAL", description: "Unpack gzip streams with ISA-L."),
    .trait(name: "PCRE2", description: "Steps with regular expressions, by PCRE2."),
  ],
  targets: [
    .target(
      name: "CPlatform",
      cSettings: [
        .define("_GNU_SOURCE"), .define("WPL_SCHEDULES", .when(configuration: .debug)),
        .define("WORKPOOL_LIBDEFLATE", .when(traits: ["Libdeflate"])),
        .define("WORKPOOL_ISAL", .when(traits: ["ISAL"])),
        .define("WORKPOOL_PCRE2", .when(traits: ["PCRE2"])),
      ]
        + (isEmbedded ? [.define("WORKPOOL_EMBEDDED")] : []) + fuzzed,
      linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .systemLibrary(
      name: "CLibdeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CWorkpool", path: "include"),

    .target(
      name: "WorkpoolCore", dependencies: ["CPlatform", "CNettle"], swiftSettings: floorSettings),
    .target(
      name: "WorkpoolPipeline", dependencies: ["CPlatform", "WorkpoolCore"],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolJobs", dependencies: ["CPlatform", "WorkpoolCore"],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolIO",
      dependencies: [
        "CPlatform", "CZlib", "CZstd",
        .target(name: "CLibdeflate", condition: .when(traits: ["Libdeflate"])),
        .target(name: "CISAL", condition: .when(traits: ["ISAL"])),
        "WorkpoolCore", "WorkpoolPipeline",
      ],
      swiftSettings: floorSettings),
    .target(
      name: "WorkpoolFASTQ",
      dependencies: [
        "CPlatform", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolIO",
        .target(name: "CPCRE2", condition: .when(traits: ["PCRE2"])),
      ],
      swiftSettings: floorSettings),
    .target(
      name: "Workpool",
      dependencies: [
        "WorkpoolCore", "WorkpoolPipeline", "WorkpoolJobs", "WorkpoolIO", "WorkpoolFASTQ",
      ],
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
  package.cxxLanguageStandard = .cxx17
  package.products += [.executable(name: "wpool", targets: ["wpool"])]
  package.targets += [
    .target(name: "CTOML"),
    .executableTarget(
      name: "wpool",
      dependencies: [
        "CPlatform", "CTOML", "Workpool", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolJobs",
        "WorkpoolIO",
        "WorkpoolFASTQ",
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
      name: "WorkpoolJobsTests", dependencies: ["CPlatform", "WorkpoolCore", "WorkpoolJobs"],
      swiftSettings: floorSettings),
    .testTarget(
      name: "WorkpoolIOTests",
      dependencies: [
        "CPlatform", "CZlib", "CZstd", "WorkpoolCore", "WorkpoolPipeline", "WorkpoolIO",
        "WorkpoolTestSupport",
      ],
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

// The floors up to WorkpoolIO and their tests, without the packages that the tool needs.
if Context.environment["WORKPOOL_ONLY_IO"] == "1" {
  let wanted: Set = [
    "CPlatform", "CZlib", "CZstd", "CNettle", "CLibdeflate", "CISAL", "WorkpoolCore",
    "WorkpoolPipeline", "WorkpoolIO", "WorkpoolTestSupport", "WorkpoolIOTests",
  ]
  package.dependencies = []
  package.products = []
  package.targets.removeAll { !wanted.contains($0.name) }
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
