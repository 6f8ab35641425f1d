#ifndef WORKPOOL_H
#define WORKPOOL_H
#include <stdint.h>
int32_t wp_version_number(void);
#endif
