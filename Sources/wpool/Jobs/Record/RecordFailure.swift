// SPDX-License-Identifier: MIT
import Glibc
import Workpool

extension Failure {
  /// Of a run's folder that cannot be made, locked or read.
  init(record error: WorkpoolError) {
    switch error.status {
    case .exists, .busy, .notFound, .corruptInput:
      self.init(exitCode: .usage, messages: [error.text])
    default: self.init(exitCode: .program, messages: [error.text])
    }
  }
}

extension RunFolder {
  convenience init(of run: String, in logFolder: String) throws(Failure) {
    do throws(WorkpoolError) {
      try self.init(id: run, in: logFolder)
    } catch {
      throw Failure(record: error)
    }
  }
}

extension RunHistory {
  /// What is named by the user must be there.
  init(of folder: String) throws(Failure) {
    do throws(WorkpoolError) {
      try self.init(folder: folder)
    } catch {
      throw .usage(error.text)
    }
  }
}

extension FolderLock {
  convenience init(of folder: String) throws(Failure) {
    do throws(WorkpoolError) {
      try self.init(folder)
    } catch {
      throw Failure(record: error)
    }
  }
}

extension Runs {
  static func folder(of run: String?, in logFolder: String) throws(Failure) -> String {
    do throws(WorkpoolError) {
      return try folder(run, in: logFolder)
    } catch {
      throw .usage(error.message)
    }
  }
}

extension Surroundings {
  /// nil: it is not set, or empty.
  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}
