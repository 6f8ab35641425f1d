// SPDX-License-Identifier: MIT
import ArgumentParser

struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print what makes a shell complete wpool's words.",
    discussion: """
      bash: wpool completions bash > ~/.local/share/bash-completion/completions/wpool
      fish: wpool completions fish > ~/.config/fish/completions/wpool.fish
      zsh:  wpool completions zsh > a folder of $fpath, as _wpool
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, fish, zsh }

  @Argument(help: "bash, fish or zsh.")
  var shell: Shell

  func run() throws {
    let script =
      switch shell {
      case .bash: Wpool.completionScript(for: .bash)
      case .fish: Wpool.completionScript(for: .fish)
      case .zsh: Wpool.completionScript(for: .zsh)
      }
    throw Console.write(script + "\n")
  }
}
