// SPDX-License-Identifier: MIT
@_exported import WorkpoolCore
@_exported import WorkpoolFASTQ
@_exported import WorkpoolIO
@_exported import WorkpoolJobs
@_exported import WorkpoolPipeline
