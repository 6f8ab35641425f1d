// SPDX-License-Identifier: MIT
import CPlatform

/// Ctrl-Z. What this program starts has groups of its own, which the terminal does not stop: these stop and
/// go on with it. Time limits go on meanwhile.
enum Suspension {
  static func stop(_ groups: [Int32], while isStopped: () -> Void) {
    for group in groups { _ = wpl_process_signal_group(group, wpl_sigtstp) }
    isStopped()
    for group in groups { _ = wpl_process_signal_group(group, wpl_sigcont) }
  }
}

extension JobSession {
  func suspend() {
    display.hide()
    Suspension.stop(groups(ownConsole: false)) { wpl_signals_suspend(0) }
  }

  /// A job that owns the terminal was stopped by it: the shell shall have it back.
  func suspendWithConsole() {
    for group in groups(ownConsole: true) where wpl_process_was_stopped(group) != 0 {
      wpl_terminal_take()
      Suspension.stop(groups(ownConsole: false)) { wpl_signals_suspend(1) }
      wpl_terminal_give(group)
      _ = wpl_process_signal_group(group, wpl_sigcont)
    }
  }

  private func groups(ownConsole: Bool) -> [Int32] {
    running.filter { plan.jobs[$0.key].ownsConsole == ownConsole }.values.map(\.child.id)
  }
}
