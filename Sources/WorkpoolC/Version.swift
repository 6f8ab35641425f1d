import CWorkpool
import CPlatform
import Synchronization
import Workpool
struct S: ~Copyable { let a: Atomic<UInt64> = .init(0) }
@c @implementation public func wp_version_number() -> Int32 {
  var d: [String: Int] = [:]
  d["abc"] = 3
  return 100 + Int32(d.count)
}
