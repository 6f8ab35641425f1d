/* SPDX-License-Identifier: MIT */
#ifndef WORKPOOL_CZSTD_H
#define WORKPOOL_CZSTD_H
#include <zstd.h>
#include <zstd_errors.h>
#endif
