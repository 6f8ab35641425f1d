// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@Suite struct TokenTests {
  /// Counts what an observer is told.
  final class Observer: Sendable {
    let told = Tally()
    let whenTold = Locked<(@Sendable () -> Void)?>(nil)
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
    static let tell: Token.Observer = { context in
      let observer = Unmanaged<Observer>.fromOpaque(context).takeUnretainedValue()
      observer.told.add()
      observer.whenTold.with { $0 }?()
    }
  }

  @Test("the first reason stays, and observers are told once")
  func firstReason() throws {
    let token = try Token()
    let observer = Observer()
    token.observe(observer.context, Observer.tell)
    #expect(!token.isCancelled && token.reason == 0 && token.isObserved)
    token.cancel(.deadline)
    token.cancel(.user)
    #expect(token.isCancelled && token.reason == CancelReason.deadline.rawValue)
    #expect(token.word.pointee.load(ordering: .relaxed) == CancelReason.deadline.rawValue)
    #expect(observer.told.value == 1)
    let late = Observer()
    token.observe(late.context, Observer.tell)
    #expect(late.told.value == 1)
    token.cancel()
    #expect(late.told.value == 1)
    token.forget(observer.context)
    token.forget(late.context)
    #expect(!token.isObserved)
  }

  @Test("cancelling reaches every child and no parent; marking shows but tells nobody")
  func family() throws {
    let parent = try Token()
    let child = try Token(parent: parent)
    let grandchild = try Token(parent: child)
    let observer = Observer()
    grandchild.observe(observer.context, Observer.tell)
    child.mark(.user)
    #expect(!parent.isCancelled && child.isCancelled && grandchild.isCancelled)
    #expect(grandchild.reason == CancelReason.parent.rawValue)
    #expect(observer.told.value == 0)
    parent.cancel()
    #expect(observer.told.value == 1)
    #expect(child.reason == CancelReason.user.rawValue)
    #expect(grandchild.word.pointee.load(ordering: .relaxed) == CancelReason.parent.rawValue)
    #expect(grandchild.words == [grandchild.word, child.word, parent.word])
    grandchild.forget(observer.context)
    let late = try Token(parent: parent)
    #expect(late.isCancelled && late.reason == CancelReason.parent.rawValue)
  }

  @Test("an observer may cancel, observe and forget others while it is told")
  func reentrant() throws {
    let token = try Token()
    let (first, second, third) = (Observer(), Observer(), Observer())
    first.whenTold.with {
      $0 = {
        token.cancel()
        token.forget(second.context)
        token.observe(third.context, Observer.tell)
      }
    }
    token.observe(first.context, Observer.tell)
    token.observe(second.context, Observer.tell)
    token.cancel()
    #expect(first.told.value == 1 && third.told.value == 1)
    token.forget(first.context)
    token.forget(third.context)
    #expect(!token.isObserved)
  }

  @Test("nobody is told after forget has returned")
  func forgetting() throws {
    for trial in 0..<TestScale.scaled(2000) {
      let token = try Token()
      let hasForgotten = Tally()
      let faults = Tally()
      let observer = Observer()
      observer.whenTold.with { $0 = { faults.add(hasForgotten.value) } }
      token.observe(observer.context, Observer.tell)
      let canceller = Threads(1 + trial % 2) { _ in token.cancel() }
      token.forget(observer.context)
      hasForgotten.add()
      canceller.join()
      #expect(faults.value == 0 && observer.told.value <= 1)
    }
  }

  @Test("the last one who holds a child may let it go while it is told of the parent's cancel")
  func lastReference() throws {
    final class Holder: @unchecked Sendable {
      var child: Token?
      var wasTold = false
    }
    let parent = try Token()
    let holder = Holder()
    holder.child = try Token(parent: parent)
    holder.child?.observe(Unmanaged.passUnretained(holder).toOpaque()) { context in
      let holder = Unmanaged<Holder>.fromOpaque(context).takeUnretainedValue()
      holder.child = nil
      holder.wasTold = true
    }
    parent.cancel()
    #expect(holder.wasTold && !parent.isObserved)
  }

  @Test("children come and go while the parent is cancelled")
  func dying() throws {
    for _ in 0..<TestScale.scaled(500) {
      let parent = try Token()
      let makers = Threads(2) { _ in
        for _ in 0..<5 {
          guard let child = try? Token(parent: parent) else { fatalError("no token") }
          _ = child.isCancelled
        }
      }
      parent.cancel()
      makers.join()
      #expect(!parent.isObserved)
    }
  }
}
