// SPDX-License-Identifier: MIT
@_exported import WorkpoolCore
@_exported import WorkpoolFASTQ
@_exported import WorkpoolIO
@_exported import WorkpoolPipeline
