// SPDX-License-Identifier: MIT

/// How the time of workers is shared among groups. Values that decide: no lock, no thread, no clock;
/// times are told in nanoseconds.
///
/// A group's *virtual time* is the worker time it has had, divided by its weight. Who has work and the
/// least virtual time is next; so groups that always have work get time in proportion to their
/// weights. The pool's clock follows the virtual time of whoever was next.
///
/// - A group that had no work begins again at the clock: it saves nothing up while it rests.
/// - A group whose callbacks took long is ahead of the clock, but never so far that it would wait for
///   longer than `longestWait` of worker time: nobody starves, at any weight.
/// - A worker stays for a `slice`. A group that has workers may have nothing for one more at the moment when
///   he looks, although it is its turn: then he goes to another one for a `briefSlice`.
public struct FairShares {
  static let longestWait: UInt64 = 2_000_000_000
  static let slice: Int64 = 1_000_000
  static let briefSlice: Int64 = 50_000
  public static let largestWeight: UInt32 = 1000

  /// Virtual times wrap round: they are compared by their distance.
  private(set) var clock: UInt64 = 0
  /// Sum of the weights of all groups.
  var weights: UInt64 = 1

  /// What a group has had; the pool keeps it in the group.
  struct Account {
    fileprivate(set) var virtualTime: UInt64 = 0
    private(set) var workersInside = 0
    /// Had nothing to do when the last worker left it.
    var isResting = true
    private var remainder: UInt64 = 0
    private var since: Int64 = 0

    /// Charges for the workers inside, until `now`.
    fileprivate mutating func charge(until now: Int64, weight: UInt32) {
      if workersInside > 0 && now > since {
        let time = UInt64(now &- since) &* UInt64(workersInside) &+ remainder
        let (quotient, rest) = time.quotientAndRemainder(dividingBy: UInt64(max(weight, 1)))
        virtualTime &+= quotient
        remainder = rest
      }
      since = now
    }

    /// What was before `now` counts for nothing: there was nobody to share with.
    mutating func restart(_ now: Int64) { since = now }

    mutating func workerEnters() { workersInside += 1 }
    mutating func workerLeaves() { workersInside -= 1 }
  }

  /// Charges for the workers inside, until `now`: before their number or the weight changes.
  func charge(_ account: inout Account, weight: UInt32, now: Int64) {
    account.charge(until: now, weight: weight)
  }

  /// Brings the account of a group that has work up to date.
  func update(_ account: inout Account, weight: UInt32, now: Int64) {
    account.charge(until: now, weight: weight)
    let lead = Int64(bitPattern: account.virtualTime &- clock)
    if account.isResting {
      account.isResting = false
      if lead < 0 { account.virtualTime = clock }
    }
    let largestLead = Int64(Self.longestWait / max(weights, 1))
    if lead > largestLead { account.virtualTime = clock &+ UInt64(largestLead) }
  }

  /// Whether `one` is to be served before `other`.
  func isBefore(_ one: Account, _ other: Account) -> Bool {
    Int64(bitPattern: one.virtualTime &- other.virtualTime) < 0
  }

  /// Until when a worker that is sent to `one` stays.
  /// - Parameter busy: of the groups that have workers but nothing for this one, whoever is next.
  func end(ofSliceFor one: Account, busy: Account?, now: Int64) -> Int64 {
    if let busy, isBefore(busy, one) { return now + Self.briefSlice }
    return now + Self.slice
  }

  /// A worker is sent there.
  mutating func serve(_ account: Account) {
    if Int64(bitPattern: account.virtualTime &- clock) > 0 { clock = account.virtualTime }
  }
}
