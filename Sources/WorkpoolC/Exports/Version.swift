// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool

@c @implementation public func wp_version_number() -> Int32 {
  WP_VERSION_MAJOR * 10_000 + WP_VERSION_MINOR * 100 + WP_VERSION_PATCH
}

@c @implementation public func wp_version_string() -> UnsafePointer<CChar>! { wpl_version() }

@c @implementation public func wp_build_info() -> UnsafePointer<CChar>! { wpl_build_info() }
