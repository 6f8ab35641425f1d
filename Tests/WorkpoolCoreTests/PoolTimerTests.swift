// SPDX-License-Identifier: MIT
import CPlatform
import Foundation
import Testing
import WorkpoolTestSupport

@testable import WorkpoolCore

@Suite struct PoolTimerTests {
  /// Something to be called.
  final class Bell: Sendable {
    let rings = Tally()
    let isRung = Gate()
    let whenRung = Locked<(@Sendable () -> Void)?>(nil)
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
    static let ring: PoolTimer.Function = { context in
      let bell = Unmanaged<Bell>.fromOpaque(context).takeUnretainedValue()
      bell.rings.add()
      bell.whenRung.with { $0 }?()
      bell.isRung.open()
    }
  }

  static func hasThread(_ name: String) -> Bool {
    let folder = "/proc/self/task"
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return tasks.contains { task in
      (try? String(contentsOfFile: "\(folder)/\(task)/comm", encoding: .utf8)) == name + "\n"
    }
  }

  @Test("the thread begins with the first entry, has its name, and ends with the timer")
  func thread() throws {
    let timer = try PoolTimer(name: "belfry-timer")
    #expect(!Self.hasThread("belfry-timer"))
    let bell = Bell()
    let id = try timer.add(at: Clock.now, context: bell.context, Bell.ring)
    bell.isRung.pass("a bell")
    #expect(id != 0 && bell.rings.value == 1 && Self.hasThread("belfry-timer"))
    #expect(!PoolTimer.isOnThisThread)
    timer.remove(id)
    timer.close()
    #expect(!Self.hasThread("belfry-timer"))
    let unused = try PoolTimer(name: "unused-timer")
    unused.remove(1)
    unused.close()
  }

  @Test("the earliest entry comes first, also if it is added last; removed ones do not come")
  func order() throws {
    let timer = try PoolTimer(name: "t-timer")
    let order = Log<Int>()
    let bells = (0..<4).map { index in
      let bell = Bell()
      bell.whenRung.with { $0 = { order.append(index) } }
      return bell
    }
    let now = Clock.now
    let late = try timer.add(at: now + 3_600_000_000_000, context: bells[0].context, Bell.ring)
    _ = try timer.add(at: now + 20_000_000, context: bells[1].context, Bell.ring)
    let removed = try timer.add(at: now + 10_000_000_000, context: bells[3].context, Bell.ring)
    timer.remove(removed)
    _ = try timer.add(at: now, context: bells[2].context, Bell.ring)
    bells[1].isRung.pass("the second bell")
    #expect(order.all == [2, 1])
    timer.remove(late)
    timer.close()
  }

  @Test("what repeats is called again until it is removed, also by itself")
  func repetition() throws {
    let timer = try PoolTimer(name: "t-timer")
    let bell = Bell()
    let id = Locked<UInt64>(0)
    let isDone = Gate()
    bell.whenRung.with {
      $0 = { [rings = bell.rings] in
        if rings.value == 5 {
          timer.remove(id.with { $0 })
          isDone.open()
        }
      }
    }
    try id.with {
      $0 = try timer.add(at: Clock.now + 1000, every: 1000, context: bell.context, Bell.ring)
    }
    isDone.pass("the fifth bell")
    let other = Bell()
    _ = try timer.add(at: Clock.now + 100_000, context: other.context, Bell.ring)
    other.isRung.pass("the other bell")
    #expect(bell.rings.value == 5)
    timer.close()
  }

  @Test("remove waits while the function runs, and none runs after it")
  func removal() throws {
    let timer = try PoolTimer(name: "t-timer")
    for _ in 0..<TestScale.scaled(500) {
      let isRemoved = Tally()
      let faults = Tally()
      let bell = Bell()
      bell.whenRung.with { $0 = { faults.add(isRemoved.value) } }
      let id = try timer.add(at: Clock.now, every: 500, context: bell.context, Bell.ring)
      wpl_yield()
      timer.remove(id)
      isRemoved.add()
      #expect(faults.value == 0)
    }

    let (isInside, mayEnd) = (Gate(), Gate())
    let bell = Bell()
    let isRemoved = Tally()
    bell.whenRung.with {
      $0 = {
        isInside.open()
        mayEnd.pass("the end of a function")
        #expect(isRemoved.value == 0)
      }
    }
    let id = try timer.add(at: Clock.now, context: bell.context, Bell.ring)
    isInside.pass("a function")
    let remover = Threads(1) { _ in
      timer.remove(id)
      isRemoved.add()
    }
    mayEnd.open()
    remover.join()
    #expect(isRemoved.value == 1)
    timer.close()
  }

  @Test("without memory nothing is added")
  func failure() throws {
    let timer = try PoolTimer(name: "t-timer")
    let bell = Bell()
    wpl_fail_own_allocation_after(0)
    #expect(throws: WorkpoolError.self) {
      _ = try timer.add(at: Clock.now, context: bell.context, Bell.ring)
    }
    wpl_fail_own_allocation_after(1)  // the thread's
    #expect(throws: WorkpoolError.self) {
      _ = try timer.add(at: Clock.now, context: bell.context, Bell.ring)
    }
    wpl_fail_own_allocation_after(-1)
    _ = try timer.add(at: Clock.now, context: bell.context, Bell.ring)
    bell.isRung.pass("the bell")
    #expect(bell.rings.value == 1)
    timer.close()
  }
}
