/* SPDX-License-Identifier: MIT
 *
 * When an initialiser of a class throws before all fields are set, Embedded Swift 6.3 destroys the
 * fields that subclasses have set but keeps the object's memory. This definition takes the place of
 * the weak swift_deallocPartialClassInstance that the compiler puts into each module.
 */
#ifdef WORKPOOL_EMBEDDED
#include <stddef.h>
#include <stdlib.h>

typedef struct class_metadata {
  const struct class_metadata *superclass;
  void *destroy;
  __attribute__((swiftcall)) void (*destroy_fields)(__attribute__((swift_context)) void *object);
} class_metadata;

/* `until`: the class whose initialiser gave up. */
void swift_deallocPartialClassInstance(void *object, const class_metadata *until, size_t size,
                                       size_t alignment_mask);
void swift_deallocPartialClassInstance(void *object, const class_metadata *until, size_t size,
                                       size_t alignment_mask) {
  (void)size, (void)alignment_mask;
  const class_metadata *class = *(const class_metadata **)object;
  for (; class && class != until; class = class->superclass) {
    if (class->destroy_fields) class->destroy_fields(object);
  }
  free(object);
}
#endif
