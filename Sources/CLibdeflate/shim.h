/* SPDX-License-Identifier: MIT */
#ifndef WORKPOOL_CLIBDEFLATE_H
#define WORKPOOL_CLIBDEFLATE_H
#include <libdeflate.h>
#endif
