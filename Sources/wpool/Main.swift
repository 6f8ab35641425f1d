// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc

@main
enum Main {
  static func main() {
    Console.holdStandardDescriptors()
    do {
      var command = try Wpool.parseAsRoot(
        OptionalValues.filledIn(
          LevelWords.spelledOut(Array(CommandLine.arguments.dropFirst()))))
      try command.run()
    } catch let failure as Failure {
      for message in failure.messages { Console.say(message) }
      exit(failure.exitCode.rawValue)
    } catch let code as ExitCode {
      exit(code.rawValue)
    } catch {
      exit(end(of: error).rawValue)
    }
  }

  /// Help and the like, asked for, is data; anything else is a wrong command line.
  private static func end(of error: any Error) -> ExitCode {
    if Wpool.exitCode(for: error).isSuccess {
      return Console.write(Wpool.fullMessage(for: error) + "\n")
    }
    let lines = Wpool.message(for: error).split(whereSeparator: \.isNewline)
    Console.say(lines.map(String.init).joined(separator: " "))
    return .usage
  }
}

struct Wpool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wpool",
    abstract: "Process sequencing reads and other streams of records in parallel, in order.",
    discussion: """
      Exit codes: 0 done; 1 data, a step, a command, an input or an output failed; 2 the command \
      line or a configuration is wrong, nothing was written; 3 no memory or no thread; 130 and \
      143 after SIGINT and SIGTERM; 141 standard output was closed.
      """,
    version: VersionCommand.text,
    subcommands: [
      ProcessCommand.self, ValidateCommand.self, VerifyCommand.self, CompressCommand.self,
      DecompressCommand.self, CatCommand.self, CountCommand.self, ListStepsCommand.self,
      TemplateCommand.self, BenchCommand.self, RunCommand.self, EachCommand.self, BatchCommand.self,
      CheckCommand.self, GraphCommand.self, StatusCommand.self,
      LogsCommand.self, ReportCommand.self, TimelineCommand.self, RunsCommand.self,
      CleanCommand.self, CompletionsCommand.self, VersionCommand.self,
    ])
}
